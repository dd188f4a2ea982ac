#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace polyrank {

/// A code point and how many bytes it takes; none where the bytes are not UTF-8.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t num_bytes = 0;
};

/// Reads the code point at the front of `bytes`, which is not empty. Overlong forms, surrogates and what lies beyond
/// U+10FFFF are not UTF-8 (RFC 3629).
[[nodiscard]] inline CodePoint front_code_point(std::span<const std::uint8_t> bytes) noexcept {
  const std::uint32_t lead = bytes[0];
  if (lead < 0x80) {
    return {lead, 1};
  }
  const std::size_t num_bytes = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (num_bytes == 0 || bytes.size() < num_bytes) {
    return {};
  }
  std::uint32_t value = lead & (0x7FU >> num_bytes);
  for (std::size_t i = 1; i < num_bytes; ++i) {
    if ((bytes[i] & 0xC0U) != 0x80) {
      return {};
    }
    value = (value << 6) | (bytes[i] & 0x3FU);
  }
  const bool is_overlong = (num_bytes == 3 && value < 0x800) || (num_bytes == 4 && value < 0x10000);
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  return is_overlong || is_surrogate || value > 0x10FFFF ? CodePoint{} : CodePoint{value, num_bytes};
}

}  // namespace polyrank
