#include <algorithm>
#include <bit>

#include "polyrank/embedding_rows.hpp"
#include "row_vectors.hpp"
#include "row_width.hpp"

namespace polyrank {
namespace {

constexpr std::size_t kSlotsAhead = 8;

/// Row numbers to where they first occurred: open addressing with linear probing. A slot holds the lower half of a row
/// and, from 1, its place among the unique ones; 0 is an empty slot.
class RowPlaces {
 public:
  RowPlaces(std::span<std::uint64_t> slots, std::int64_t* unique) noexcept
      : slots_(slots), shift_(64 - std::countr_zero(slots.size())), unique_(unique) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Whether a row is new is hard to predict, so its slot had better be near when that is decided.
  void prefetch(std::int64_t row) const noexcept { __builtin_prefetch(&slots_[first_slot(row)]); }

  /// The place of a row, which is size() before the call if it is new.
  std::size_t insert(std::int64_t row) noexcept {
    const std::uint64_t low = static_cast<std::uint64_t>(row) << 32;
    for (std::size_t at = first_slot(row);; at = (at + 1) & (slots_.size() - 1)) {
      const std::uint64_t slot = slots_[at];
      if (slot == 0) {
        slots_[at] = low | (size_ + 1);
        unique_[size_] = row;
        return size_++;
      }
      const std::uint64_t number = slot & UINT32_MAX;
      if ((slot ^ number) == low && unique_[number - 1] == row) {
        return number - 1;
      }
    }
  }

 private:
  // Multiplication by the golden ratio (Knuth, The Art of Computer Programming 3, section 6.4) spreads rows that follow
  // one another; the fold breaks up larger strides that it would leave together.
  [[nodiscard]] std::size_t first_slot(std::int64_t row) const noexcept {
    const auto key = static_cast<std::uint64_t>(row);
    return ((key ^ key >> 16) * 0x9E3779B97F4A7C15) >> shift_;
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
  return with_width(dim, [=](auto width) noexcept {
    RowPlaces places(slots, unique);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      places.prefetch(rows[std::min(i + kSlotsAhead, rows.size() - 1)]);
      const std::size_t before = places.size();
      const std::size_t place = places.insert(rows[i]);
      const float* value = values + i * width;
      float* sum = sums + place * width;
      if (place == before) {
        copy_row(value, width, sum);
      } else {
        combine_row(sum, value, width, [](auto total, auto next) { return total + next; });
      }
    }
    return places.size();
  });
}

}  // namespace polyrank
