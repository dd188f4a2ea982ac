#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Embedding vectors of a batch: each is one row of a table, or the weighted sum of some. What embedding_rows.hpp says
/// of tables and bits holds here too.
namespace polyrank {

/// Which rows of a table the vectors of a batch of B add up.
struct PooledRows {
  std::span<const std::int64_t> rows;     ///< [B, S], each in range
  const float* factors;                   ///< of the rows, [B, S]; nullptr is 1 for each
  std::span<const std::uint32_t> widths;  ///< of F vectors: how many of the S columns each adds up in turn, 1 or more

  [[nodiscard]] std::size_t num_columns() const noexcept;
};

/// Writes [B, F · D]: each vector is the sum of factor · row over its columns in their order. A row whose factor is 0
/// is not read.
void pool_rows(const float* table, std::size_t dim, const PooledRows& batch, float* out) noexcept;

/// The gradient of `pool_rows`: of `gradients` [B, F · D], writes the row of each factor that is not 0 to `rows` [B ·
/// S] and factor · gradient of its vector to `values` [B · S, D], in the order of the batch. Returns how many there
/// are.
std::size_t spread_rows(const float* gradients, std::size_t dim, const PooledRows& batch, std::int64_t* rows,
                        float* values) noexcept;

}  // namespace polyrank
