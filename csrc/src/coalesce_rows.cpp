#include <algorithm>
#include <bit>

#include "polyrank/embedding_rows.hpp"
#include "row_vectors.hpp"
#include "row_width.hpp"

namespace polyrank {
namespace {

/// Row numbers to where they first occurred: open addressing with linear probing. A slot holds the lower half of a row
/// and, from 1, its place among the unique ones; 0 is an empty slot.
class RowPlaces {
 public:
  RowPlaces(std::span<std::uint64_t> slots, std::int64_t* unique) noexcept
      : slots_(slots), shift_(64 - std::countr_zero(slots.size())), unique_(unique) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// The place of a row, which is size() before the call if it is new.
  std::size_t insert(std::int64_t row) noexcept {
    const auto key = static_cast<std::uint64_t>(row);
    for (std::size_t at = mix(key) >> shift_;; at = (at + 1) & (slots_.size() - 1)) {
      const std::uint64_t slot = slots_[at];
      if (slot == 0) {
        slots_[at] = key << 32 | (size_ + 1);
        unique_[size_] = row;
        return size_++;
      }
      const std::size_t place = (slot & UINT32_MAX) - 1;
      if (slot >> 32 == (key & UINT32_MAX) && unique_[place] == row) {
        return place;
      }
    }
  }

 private:
  // Rows of one table in a row, and multiples of any number, go apart: two rounds of multiply and shift.
  static std::uint64_t mix(std::uint64_t key) noexcept {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
    key *= kOdd;
    return (key ^ key >> 32) * kOdd;
  }

  std::span<std::uint64_t> slots_;
  int shift_;
  std::int64_t* unique_;
  std::size_t size_ = 0;
};

}  // namespace

std::size_t num_coalescing_slots(std::size_t num_rows) noexcept {
  return std::max<std::size_t>(2, std::bit_ceil(2 * num_rows));
}

std::size_t coalesce_rows(std::span<const std::int64_t> rows, const float* values, std::size_t dim,
                          std::span<std::uint64_t> slots, std::int64_t* unique, float* sums) noexcept {
  RowPlaces places(slots, unique);
  with_width(dim, [&](auto width) noexcept {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::size_t before = places.size();
      const std::size_t place = places.insert(rows[i]);
      const float* value = values + i * width;
      float* sum = sums + place * width;
      if (place == before) {
        std::copy_n(value, static_cast<std::size_t>(width), sum);
      } else {
        combine_row(sum, value, width, [](auto total, auto next) { return total + next; });
      }
    }
  });
  return places.size();
}

}  // namespace polyrank
