#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "canonical_integer.hpp"
#include "polyrank/block.hpp"
#include "polyrank/missing_tokens.hpp"

/// Ways to fill a block with the integers that a run of rows stands for. Each `read` throws Refusal, with the row
/// counted within the array.
namespace polyrank {

template <typename T>
struct WideningReader {
  std::span<const T> column;
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return column.size(); }

  void read(std::size_t begin, std::size_t count, Block& block, const PreparedReading& how) const {
    const auto values = column.subspan(begin, count);
    if constexpr (std::is_same_v<T, std::int64_t>) {
      if (how.dtype == Dtype::kInt64) {
        block.borrow(values, from_row(validity, begin));
        return;
      }
    }
    const auto wide = block.start(count, from_row(validity, begin));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < count; ++i) {
      wide[i] = static_cast<std::int64_t>(values[i]);
      seen |= static_cast<std::uint64_t>(values[i]);
    }
    if (std::is_same_v<T, std::uint64_t> && static_cast<std::int64_t>(seen) < 0) {
      refuse_large(begin, block);
    }
  }

 private:
  // Rows that are null may hold anything.
  static void refuse_large(std::size_t begin, const Block& block) {
    for (std::size_t i = 0; i < block.values().size(); ++i) {
      if (block.values()[i] < 0 && block.validity()[i]) {
        throw Refusal(Reason::kOutOfRange, begin + i);
      }
    }
  }
};

/// A float of 16 bits, as its bits.
enum class Half : std::uint16_t {};

inline double to_double(double value) noexcept { return value; }
inline double to_double(float value) noexcept { return value; }
inline double to_double(Half half) noexcept {
  const auto bits = static_cast<unsigned>(half);
  const int exponent = static_cast<int>((bits >> 10) & 0x1F);
  const double fraction = bits & 0x3FF;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 0x1F) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25));
}

template <typename T>
struct FloatReader {
  std::span<const T> column;
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return column.size(); }

  void read(std::size_t begin, std::size_t count, Block& block, const PreparedReading& /*how*/) const {
    const auto values = block.start(count, from_row(validity, begin));
    bool is_plain = true;
    for (std::size_t i = 0; i < count; ++i) {
      const double value = to_double(column[begin + i]);
      values[i] = static_cast<std::int64_t>(std::abs(value) <= kMaxExactFloat ? value : 0.0);
      is_plain &= static_cast<double>(values[i]) == value;
    }
    for (std::size_t i = 0; !is_plain && i < count; ++i) {
      if (validity[begin + i] && !integer_of(to_double(column[begin + i]), begin + i)) {
        block.set_missing(i);
      }
    }
  }
};

struct BooleanReader {
  std::size_t rows;
  Validity bits;
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return rows; }

  void read(std::size_t begin, std::size_t count, Block& block, const PreparedReading& /*how*/) const noexcept {
    const auto values = block.start(count, from_row(validity, begin));
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = bits[begin + i] ? 1 : 0;
    }
  }
};

template <typename Column>
struct DecimalTextReader {
  Column column;
  std::unique_ptr<std::vector<const std::uint8_t*>> buffers;  // what a column of views borrows

  [[nodiscard]] std::size_t size() const noexcept { return column.size(); }

  void read(std::size_t begin, std::size_t count, Block& block, const PreparedReading& how) const {
    const auto values = block.start(count, from_row(column.validity, begin));
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = 0;
      if (!column.is_present(begin + i)) {
        continue;
      }
      const auto key = column.key(begin + i);
      const std::string_view text(reinterpret_cast<const char*>(key.data()), key.size());
      if (const auto integer = integer_of(text, how.tokens, begin + i)) {
        values[i] = *integer;
      } else {
        block.set_missing(i);
      }
    }
  }
};

}  // namespace polyrank
