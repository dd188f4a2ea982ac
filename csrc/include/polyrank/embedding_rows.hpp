#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Lookups and sparse updates of embedding tables: float32 [R, D], row-major, of any size.
///
/// Results are the same bits on every processor: no product is fused with a sum, and each sum has a stated order.
namespace polyrank {

/// The position of the first row outside [0, num_rows); rows.size() if there is none.
[[nodiscard]] std::size_t first_out_of_range(std::span<const std::int64_t> rows, std::size_t num_rows) noexcept;

/// Copies rows of a table, each in range, to `out` [N, D].
void gather_rows(const float* table, std::size_t dim, std::span<const std::int64_t> rows, float* out) noexcept;

/// How many slots `coalesce_rows` needs for this many rows: a power of two.
[[nodiscard]] std::size_t num_coalescing_slots(std::size_t num_rows) noexcept;

constexpr std::size_t kMaxCoalescedRows = UINT32_MAX - 1;

/// Adds the values [N, D] of equal rows, in the order of their occurrence, up to kMaxCoalescedRows of them. `slots` are
/// zeros. Writes unique rows in the order of their first occurrence to `unique` [N], their sums to `sums` [N, D], and
/// returns how many there are.
std::size_t coalesce_rows(std::span<const std::int64_t> rows, const float* values, std::size_t dim,
                          std::span<std::uint64_t> slots, std::int64_t* unique, float* sums) noexcept;

struct AdagradStep {
  float lr;
  float epsilon;
  float scale;  ///< of the gradients
};

/// A table [R, D] and the sum of mean squared gradients of each row, [R].
struct AdagradTable {
  float* weights;
  float* sums;
  std::size_t dim;
};

/// One step of row-wise Adagrad on unique rows, each in range, with gradients g = scale · values, values [U, D]:
/// `s[r] += mean(g²); w[r] -= lr / (sqrt(s[r]) + epsilon) · g`. Square i of a row goes to partial sum i mod 8, of which
/// the upper half is added to the lower until one is left. Duchi et al., JMLR 12, 2011; kept per row as in Mudigere et
/// al., ISCA 2022, section 4.1.1.
void update_rowwise_adagrad(AdagradTable table, std::span<const std::int64_t> rows, const float* values,
                            AdagradStep step) noexcept;

}  // namespace polyrank
