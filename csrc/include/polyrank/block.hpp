#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "polyrank/fingerprint.hpp"

namespace polyrank {

/// As many rows as are read at once where keys must be made: their scratch stays in the L1 cache.
inline constexpr std::size_t kBlockRows = 1024;

/// The same validity from row `begin` on.
[[nodiscard]] constexpr Validity from_row(Validity validity, std::size_t begin) noexcept {
  return {.bitmap = validity.bitmap, .bit_offset = validity.bit_offset + begin};
}

/// Up to kBlockRows integers, some missing.
class Block {
 public:
  /// Begins anew with `count` integers for the caller to write.
  std::span<std::int64_t> start(std::size_t count, Validity validity) noexcept {
    borrow(std::span(room_).first(count), validity);
    return std::span(room_).first(count);
  }

  /// Begins anew with integers that lie elsewhere.
  void borrow(std::span<const std::int64_t> values, Validity validity) noexcept {
    values_ = values;
    validity_ = validity;
    is_own_bitmap_ = false;
  }

  void set_missing(std::size_t index) noexcept {
    if (!is_own_bitmap_) {
      copy_validity();
    }
    bitmap_[index / 8] &= static_cast<std::uint8_t>(~(1U << (index % 8)));
  }

  [[nodiscard]] std::span<const std::int64_t> values() const noexcept { return values_; }
  [[nodiscard]] Validity validity() const noexcept { return validity_; }

 private:
  void copy_validity() noexcept;

  std::array<std::int64_t, kBlockRows> room_;
  std::array<std::uint8_t, kBlockRows / 8> bitmap_;
  std::span<const std::int64_t> values_;
  Validity validity_;
  bool is_own_bitmap_ = false;
};

}  // namespace polyrank
