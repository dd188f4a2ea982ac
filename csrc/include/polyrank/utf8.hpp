#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace polyrank {

/// UTF-8 takes at most this many bytes for one code point.
inline constexpr std::size_t kMaxUtf8Bytes = 4;

/// Writes code points, kept in 1, 2 or 4 bytes each, as UTF-8. Returns the end of what it wrote, or null for a lone
/// surrogate and for what is no code point. `out` has room for kMaxUtf8Bytes of each.
template <typename Unit>
[[nodiscard]] char* write_utf8(std::span<const Unit> text, char* out) noexcept;

extern template char* write_utf8(std::span<const std::uint8_t> text, char* out) noexcept;
extern template char* write_utf8(std::span<const std::uint16_t> text, char* out) noexcept;
extern template char* write_utf8(std::span<const std::uint32_t> text, char* out) noexcept;

}  // namespace polyrank
