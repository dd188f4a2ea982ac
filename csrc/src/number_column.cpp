#include "number_column.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "polyrank/source.hpp"

namespace polyrank {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// By way of double, as Arrow casts; what lies beyond float32 becomes infinite.
float to_float(double value) noexcept { return static_cast<float>(value); }

template <typename T>
float to_float(T value) noexcept {
  return static_cast<float>(static_cast<double>(value));
}

float to_float(Half value) noexcept { return static_cast<float>(to_double(value)); }

template <typename T>
void read_values(std::span<const T> values, std::size_t begin, std::span<float> out) noexcept {
  const T* from = values.data() + begin;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = to_float(from[i]);
  }
}

void read_values(Validity bits, std::size_t begin, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = bits[begin + i] ? 1.0F : 0.0F;
  }
}

}  // namespace

NumberColumn::NumberColumn(const ArrowSchema& schema, const ArrowArray& array, bool is_non_negative)
    : is_non_negative_(is_non_negative) {
  const ArrowBuffers buffers(schema, array);
  if (array.dictionary != nullptr || buffers.is_extension()) {
    throw UnknownLayout();
  }
  if (buffers.format() != "n") {
    values_ = open(buffers);
    validity_ = buffers.validity();
  }
}

NumberColumn::Values NumberColumn::open(const ArrowBuffers& buffers) {
  switch (buffers.format().size() == 1 ? buffers.format()[0] : '\0') {
    case 'b':
      return buffers.bits();
    case 'c':
      return buffers.values<std::int8_t>();
    case 'C':
      return buffers.values<std::uint8_t>();
    case 's':
      return buffers.values<std::int16_t>();
    case 'S':
      return buffers.values<std::uint16_t>();
    case 'i':
      return buffers.values<std::int32_t>();
    case 'I':
      return buffers.values<std::uint32_t>();
    case 'l':
      return buffers.values<std::int64_t>();
    case 'L':
      return buffers.values<std::uint64_t>();
    case 'e':
      return buffers.values<Half>();
    case 'f':
      return buffers.values<float>();
    case 'g':
      return buffers.values<double>();
    default:
      throw UnknownLayout();
  }
}

void NumberColumn::read(std::size_t begin, std::span<float> out) const {
  if (std::holds_alternative<Nulls>(values_)) {
    std::fill(out.begin(), out.end(), kNaN);
    return;
  }
  std::visit(
      [&](const auto& values) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(values)>, Nulls>) {
          read_values(values, begin, out);
        }
      },
      values_);
  for (std::size_t i = 0; validity_.bitmap != nullptr && i < out.size(); ++i) {
    out[i] = validity_[begin + i] ? out[i] : kNaN;
  }
  check(begin, out);
}

void NumberColumn::check(std::size_t begin, std::span<const float> numbers) const {
  constexpr float kHighest = std::numeric_limits<float>::max();
  const float lowest = is_non_negative_ ? 0.0F : -kHighest;
  int num_refused = 0;
  for (const float number : numbers) {
    num_refused += static_cast<int>(number < lowest) | static_cast<int>(number > kHighest);
  }
  for (std::size_t i = 0; num_refused > 0 && i < numbers.size(); ++i) {
    if (std::isinf(numbers[i])) {
      throw Refusal(Reason::kNotFinite, begin + i);
    }
    if (numbers[i] < lowest) {
      throw Refusal(Reason::kNegative, begin + i);
    }
  }
}

}  // namespace polyrank
