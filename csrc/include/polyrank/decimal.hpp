#pragma once

#include <cstdint>
#include <string_view>

namespace polyrank {

enum class DecimalStatus : std::uint8_t { kInteger, kNotDecimal, kOutOfRange };

struct ParsedDecimal {
  DecimalStatus status;
  std::int64_t value;  ///< of a kInteger
};

/// Reads `-?[0-9]+` as an integer of 64 bits; leading zeros may make the text longer than any such integer.
[[nodiscard]] ParsedDecimal parse_decimal(std::string_view text) noexcept;

}  // namespace polyrank
