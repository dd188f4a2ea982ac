#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Where the ids of a batch lie in an embedding table, and what the rows of features of many values are multiplied
/// with.
///
/// Results are the same bits on every processor: no product is fused with a sum, and sums go from the first column on.
namespace polyrank {

/// How the ids of one column become rows of a table.
struct BucketColumn {
  std::int64_t num_buckets;  ///< 1 or more
  std::int64_t start;        ///< the row of "missing"; that of an id is 1 + its remainder further on
  std::int64_t last;         ///< the highest id that has a row
};

/// Writes the row of each of `ids` [B, S], for S columns, to `rows` [B, S]: that of "missing" where an id is below 0 or
/// above the last.
void bucket_rows(std::span<const std::int64_t> ids, std::span<const BucketColumn> columns, std::int64_t* rows) noexcept;

enum class Pooling : std::uint8_t {
  kSum,    ///< Σ w · v
  kMean,   ///< Σ w · v / Σ w
  kSqrtn,  ///< Σ w · v / √Σ w²
};

/// The columns of a feature of many values.
struct PooledColumns {
  std::size_t first;  ///< of `count` columns of the batch
  std::size_t count;
  Pooling pooling;
  std::ptrdiff_t first_weight;  ///< of `count` columns of the weights; below 0, each value weighs 1
};

/// Writes what each of `rows` [B, S] is multiplied with before those of a feature are added up, [B, S]: 1 where a
/// column is not pooled, 0 where a pooled one is "missing". What would be divided by 0 is divided by 1; of weights [B,
/// W] below 0 only sums take notice, means take them for 0.
void pooling_factors(std::span<const std::int64_t> rows, std::span<const BucketColumn> columns,
                     std::span<const PooledColumns> pools, const float* weights, std::size_t num_weights,
                     float* factors) noexcept;

}  // namespace polyrank
