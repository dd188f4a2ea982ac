#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "polyrank/missing_tokens.hpp"

namespace polyrank {

/// The largest float up to which all whole numbers are floats.
inline constexpr double kMaxExactFloat = 9007199254740992.0;

/// What a text under int64 stands for: nothing where it is missing. Throws Refusal at `row`.
[[nodiscard]] std::optional<std::int64_t> integer_of(std::string_view text, const MissingTokens& tokens,
                                                     std::size_t row);

/// What a float stands for: nothing where it is NaN. Throws Refusal at `row`.
[[nodiscard]] std::optional<std::int64_t> integer_of(double value, std::size_t row);

}  // namespace polyrank
