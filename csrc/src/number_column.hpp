#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "arrow_buffers.hpp"
#include "integer_readers.hpp"

namespace polyrank {

/// Integers, floats or booleans of any width, or Arrow's null type, read as float32. Borrows the array.
class NumberColumn {
 public:
  /// Throws UnknownLayout for another type.
  NumberColumn(const ArrowSchema& schema, const ArrowArray& array, bool is_non_negative = false);

  /// Rows [begin, begin + out.size()), NaN where missing. Throws Refusal for a number that is no finite float32, or
  /// negative where it must not be.
  void read(std::size_t begin, std::span<float> out) const;

 private:
  struct Nulls {};
  template <typename... T>
  using AnyOf = std::variant<Nulls, Validity, std::span<const T>...>;
  using Values = AnyOf<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                       std::int64_t, std::uint64_t, Half, float, double>;

  [[nodiscard]] static Values open(const ArrowBuffers& buffers);
  void check(std::size_t begin, std::span<const float> numbers) const;

  Values values_;
  Validity validity_;
  bool is_non_negative_;
};

}  // namespace polyrank
