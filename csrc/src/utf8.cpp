#include "polyrank/utf8.hpp"

namespace polyrank {
namespace {

char continuation(std::uint32_t code, int shift) noexcept { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); }

// A code point above 0x7F.
char* write_long(std::uint32_t code, char* out) noexcept {
  if (code < 0x800) {
    *out++ = static_cast<char>(0xC0 | (code >> 6));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xE0 | (code >> 12));
    *out++ = continuation(code, 6);
  } else {
    *out++ = static_cast<char>(0xF0 | (code >> 18));
    *out++ = continuation(code, 12);
    *out++ = continuation(code, 6);
  }
  *out++ = continuation(code, 0);
  return out;
}

constexpr bool is_code_point(std::uint32_t code) noexcept {
  return code < 0x110000 && (code < 0xD800 || code >= 0xE000);
}

}  // namespace

template <typename Unit>
char* write_utf8(std::span<const Unit> text, char* out) noexcept {
  std::uint32_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    seen |= text[i];
    out[i] = static_cast<char>(text[i]);
  }
  if (seen < 0x80) {  // ASCII, the common case, in one loop without a branch
    return out + text.size();
  }
  for (const Unit unit : text) {
    if (unit < 0x80) {
      *out++ = static_cast<char>(unit);
    } else if (is_code_point(unit)) {
      out = write_long(unit, out);
    } else {
      return nullptr;
    }
  }
  return out;
}

template char* write_utf8(std::span<const std::uint8_t> text, char* out) noexcept;
template char* write_utf8(std::span<const std::uint16_t> text, char* out) noexcept;
template char* write_utf8(std::span<const std::uint32_t> text, char* out) noexcept;

}  // namespace polyrank
