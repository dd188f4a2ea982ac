#pragma once

#include <cstddef>

namespace polyrank {

/// float32 [B, G, H]: the H units of a group lie side by side, rows and groups at any distance, counted in floats.
template <typename Float>
struct GroupedRows {
  Float* values;
  std::size_t num_rows;
  std::size_t num_groups;
  std::size_t width;
  std::ptrdiff_t row_stride;
  std::ptrdiff_t group_stride;

  [[nodiscard]] std::size_t num_units() const noexcept { return num_groups * width; }
  [[nodiscard]] Float* row(std::size_t row, std::size_t group) const noexcept {
    return values + static_cast<std::ptrdiff_t>(row) * row_stride + static_cast<std::ptrdiff_t>(group) * group_stride;
  }
};

}  // namespace polyrank
