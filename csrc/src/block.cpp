#include "polyrank/block.hpp"

namespace polyrank {

void Block::copy_validity() noexcept {
  bitmap_.fill(0xFF);
  for (std::size_t i = 0; validity_.bitmap != nullptr && i < values_.size(); ++i) {
    if (!validity_[i]) {
      bitmap_[i / 8] &= static_cast<std::uint8_t>(~(1U << (i % 8)));
    }
  }
  validity_ = {.bitmap = bitmap_.data(), .bit_offset = 0};
  is_own_bitmap_ = true;
}

}  // namespace polyrank
