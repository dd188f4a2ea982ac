#include "polyrank/pooled_rows.hpp"

#include <algorithm>
#include <numeric>

#include "row_prefetch.hpp"
#include "row_vectors.hpp"
#include "row_width.hpp"

namespace polyrank {
namespace {

/// Calls `visit` with the position in [0, B · S) of each column, that of its vector in [0, B · F), and whether the
/// vector begins there.
template <typename Visit>
void for_each_column(const PooledRows& batch, const Visit& visit) noexcept {
  std::size_t at = 0;
  std::size_t vector = 0;
  while (at < batch.rows.size() && !batch.widths.empty()) {
    for (const std::uint32_t width : batch.widths) {
      for (std::uint32_t i = 0; i < width; ++i) {
        visit(at, vector, i == 0);
        ++at;
      }
      ++vector;
    }
  }
}

}  // namespace

std::size_t PooledRows::num_columns() const noexcept {
  return std::accumulate(widths.begin(), widths.end(), std::size_t{0});
}

void pool_rows(const float* table, std::size_t dim, const PooledRows& batch, float* out) noexcept {
  with_width(dim, [=](auto width) noexcept {
    for_each_column(batch, [=](std::size_t at, std::size_t vector, bool is_first) noexcept {
      prefetch(table + static_cast<std::size_t>(row_ahead(batch.rows, at)) * width, width);
      const float* row = table + static_cast<std::size_t>(batch.rows[at]) * width;
      const float factor = batch.factors == nullptr ? 1.0F : batch.factors[at];
      float* target = out + vector * width;
      if (is_first && factor == 0.0F) {
        std::fill_n(target, static_cast<std::size_t>(width), 0.0F);
      } else if (is_first) {
        scale_row(row, factor, width, target);
      } else if (factor != 0.0F) {
        combine_row(target, row, width, [=](auto sum, auto value) { return sum + factor * value; });
      }
    });
  });
}

std::size_t spread_rows(const float* gradients, std::size_t dim, const PooledRows& batch, std::int64_t* rows,
                        float* values) noexcept {
  std::size_t count = 0;
  with_width(dim, [=, &count](auto width) noexcept {
    for_each_column(batch, [=, &count](std::size_t at, std::size_t vector, bool) noexcept {
      const float factor = batch.factors == nullptr ? 1.0F : batch.factors[at];
      if (factor != 0.0F) {
        rows[count] = batch.rows[at];
        scale_row(gradients + vector * width, factor, width, values + count * width);
        ++count;
      }
    });
  });
  return count;
}

}  // namespace polyrank
