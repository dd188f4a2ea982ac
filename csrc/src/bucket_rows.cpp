#include "polyrank/bucket_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace polyrank {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::size_t kBlockRows = 256;  // their ids stay in the nearest cache from one column to the next

/// Remainders by one divisor, by a product with its reciprocal in place of a division.
class Remainder {
 public:
  explicit Remainder(std::uint64_t divisor) noexcept
      : divisor_(divisor), reciprocal_(std::numeric_limits<std::uint64_t>::max() / divisor) {}

  [[nodiscard]] std::uint64_t of(std::uint64_t number) const noexcept {
    // The rounded reciprocal makes a quotient that is right, or too low by 1.
    const auto quotient = static_cast<std::uint64_t>(static_cast<Wide>(number) * reciprocal_ >> 64);
    const std::uint64_t rest = number - quotient * divisor_;
    return rest >= divisor_ ? rest - divisor_ : rest;
  }

 private:
  std::uint64_t divisor_;
  std::uint64_t reciprocal_;
};

float weight_of(const float* weights, std::size_t at, Pooling pooling) noexcept {
  const float weight = weights == nullptr ? 1.0F : weights[at];
  return pooling != Pooling::kSum && weight < 0.0F ? 0.0F : weight;
}

/// What the sum of a feature of one row of the batch is divided by.
float divisor_of(const float* factors, const PooledColumns& pool) noexcept {
  if (pool.pooling == Pooling::kSum) {
    return 1.0F;
  }
  float sum = 0.0F;
  for (std::size_t i = 0; i < pool.count; ++i) {
    sum += pool.pooling == Pooling::kMean ? factors[i] : factors[i] * factors[i];
  }
  const float norm = pool.pooling == Pooling::kMean ? sum : std::sqrt(sum);
  return norm > 0.0F ? norm : 1.0F;
}

}  // namespace

void bucket_rows(std::span<const std::int64_t> ids, std::span<const BucketColumn> columns,
                 std::int64_t* rows) noexcept {
  const std::size_t width = columns.size();
  for (std::size_t begin = 0; begin < ids.size(); begin += kBlockRows * width) {
    const std::size_t end = std::min(begin + kBlockRows * width, ids.size());
    for (std::size_t i = 0; i < width; ++i) {
      const BucketColumn column = columns[i];
      const Remainder remainder(static_cast<std::uint64_t>(column.num_buckets));
      for (std::size_t at = begin + i; at < end; at += width) {
        const std::int64_t id = ids[at];
        const auto place = static_cast<std::int64_t>(remainder.of(static_cast<std::uint64_t>(id)));
        rows[at] = id < 0 || id > column.last ? column.start : column.start + 1 + place;
      }
    }
  }
}

void pooling_factors(std::span<const std::int64_t> rows, std::span<const BucketColumn> columns,
                     std::span<const PooledColumns> pools, const float* weights, std::size_t num_weights,
                     float* factors) noexcept {
  const std::size_t width = columns.size();
  std::fill_n(factors, rows.size(), 1.0F);
  for (std::size_t row = 0; row * width < rows.size(); ++row) {
    for (const PooledColumns& pool : pools) {
      const std::int64_t* const own_rows = rows.data() + row * width + pool.first;
      const float* const own_weights =
          pool.first_weight < 0 ? nullptr : weights + row * num_weights + static_cast<std::size_t>(pool.first_weight);
      float* const own = factors + row * width + pool.first;
      for (std::size_t i = 0; i < pool.count; ++i) {
        own[i] = own_rows[i] == columns[pool.first + i].start ? 0.0F : weight_of(own_weights, i, pool.pooling);
      }
      if (const float divisor = divisor_of(own, pool); divisor != 1.0F) {
        std::transform(own, own + pool.count, own, [=](float factor) { return factor / divisor; });
      }
    }
  }
}

}  // namespace polyrank
