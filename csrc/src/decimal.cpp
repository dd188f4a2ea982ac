#include "polyrank/decimal.hpp"

#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>

namespace polyrank {
namespace {

constexpr std::size_t kWordDigits = 8;
constexpr std::size_t kMaxDigits = 19;  // of an int64; 10**19 - 1 fits a uint64
constexpr std::uint64_t kZeros = 0x3030303030303030;

template <typename Word>
std::uint64_t load(const char* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native == std::endian::big && sizeof word == 8) {
    return __builtin_bswap64(word);
  } else if constexpr (std::endian::native == std::endian::big) {
    return __builtin_bswap32(word);
  }
  return word;
}

std::uint64_t byte_at(const char* from, std::size_t index) noexcept {
  return std::uint64_t{static_cast<unsigned char>(from[index])} << (8 * index);
}

// The first 1 to 8 characters as the last ones of a word, after zeros; the first character is the lowest byte. Loads
// that overlap take the place of a loop.
std::uint64_t load_padded(const char* from, std::size_t count) noexcept {
  if (count == kWordDigits) {
    return load<std::uint64_t>(from);
  }
  std::uint64_t word = 0;
  if (count >= 4) {
    word = load<std::uint32_t>(from) | (load<std::uint32_t>(from + count - 4) << (8 * (count - 4)));
  } else {
    word = byte_at(from, 0) | byte_at(from, count / 2) | byte_at(from, count - 1);
  }
  return (word << (8 * (kWordDigits - count))) | (kZeros >> (8 * count));
}

bool is_digits(std::uint64_t word) noexcept {
  constexpr std::uint64_t kHigh = 0xF0F0F0F0F0F0F0F0;
  return (((word & kHigh) | (((word + 0x0606060606060606) & kHigh) >> 4)) == 0x3333333333333333);
}

// Eight digits at once: pairs, then fours, then all.
std::uint64_t value_of(std::uint64_t word) noexcept {
  word = ((word & 0x0F0F0F0F0F0F0F0F) * 2561) >> 8;
  word = ((word & 0x00FF00FF00FF00FF) * 6553601) >> 16;
  return ((word & 0x0000FFFF0000FFFF) * 42949672960001) >> 32;
}

}  // namespace

ParsedDecimal parse_decimal(std::string_view text) noexcept {
  const bool is_negative = text.starts_with('-');
  text.remove_prefix(is_negative ? 1 : 0);
  if (text.empty()) {
    return {DecimalStatus::kNotDecimal, 0};
  }
  while (text.size() > kMaxDigits && text.front() == '0') {
    text.remove_prefix(1);
  }
  const bool is_long = text.size() > kMaxDigits;
  std::uint64_t magnitude = 0;
  for (std::size_t head = (text.size() - 1) % kWordDigits + 1; !text.empty(); head = kWordDigits) {
    const std::uint64_t word = load_padded(text.data(), head);
    if (!is_digits(word)) {
      return {DecimalStatus::kNotDecimal, 0};
    }
    magnitude = magnitude * 100'000'000 + value_of(word);
    text.remove_prefix(head);
  }
  const auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) + (is_negative ? 1 : 0);
  if (is_long || magnitude > limit) {
    return {DecimalStatus::kOutOfRange, 0};
  }
  return {DecimalStatus::kInteger, static_cast<std::int64_t>(is_negative ? 0 - magnitude : magnitude)};
}

}  // namespace polyrank
