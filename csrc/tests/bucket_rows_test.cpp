#include "polyrank/bucket_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace polyrank {
namespace {

using Ids = std::vector<std::int64_t>;
using Floats = std::vector<float>;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

Ids rows_of(const Ids& ids, const std::vector<BucketColumn>& columns) {
  Ids rows(ids.size(), -7);
  bucket_rows(ids, columns, rows.data());
  return rows;
}

Floats factors_of(const Ids& rows, const std::vector<BucketColumn>& columns, const std::vector<PooledColumns>& pools,
                  const Floats& weights = {}, std::size_t num_weights = 0) {
  Floats factors(rows.size(), -7.0F);
  pooling_factors(rows, columns, pools, weights.data(), num_weights, factors.data());
  return factors;
}

TEST(BucketRows, IdsTakeTheRowsOfTheirRemainders) {
  const std::vector<BucketColumn> columns{{.num_buckets = 10, .start = 0, .last = kMost},
                                          {.num_buckets = 3, .start = 11, .last = 2}};
  EXPECT_EQ(rows_of({0, 0, 19, 2, -1, 3, kMost, std::numeric_limits<std::int64_t>::min()}, columns),
            (Ids{1, 12, 10, 14, 0, 11, 8, 11}));
}

class EveryDivisor : public testing::TestWithParam<std::int64_t> {};

TEST_P(EveryDivisor, RemaindersAreThoseOfADivision) {
  const std::int64_t divisor = GetParam();
  std::mt19937_64 random(1);
  Ids ids{0, 1, divisor - 1, divisor, kMost - 1, kMost};
  const std::int64_t last_multiple = kMost - kMost % divisor;
  ids.push_back(last_multiple - 1);
  ids.push_back(last_multiple);
  for (int bits = 1; bits < 64; ++bits) {
    ids.push_back(static_cast<std::int64_t>(random() >> (64 - bits)) & kMost);
  }
  const Ids rows = rows_of(ids, {{.num_buckets = divisor, .start = 0, .last = kMost}});
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(rows[i], 1 + ids[i] % divisor) << ids[i];
  }
}

INSTANTIATE_TEST_SUITE_P(BucketRows, EveryDivisor,
                         testing::Values(1, 2, 3, 7, 1000, 1 << 20, (1LL << 32) - 1, (1LL << 32) + 15, 1LL << 62,
                                         kMost - 1));

TEST(BucketRows, ManyRowsHaveTheirPlaces) {
  const std::vector<BucketColumn> columns(3, {.num_buckets = 1000, .start = 0, .last = kMost});
  Ids ids(3 * 1000);
  Ids expected(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int64_t>(i * 7);
    expected[i] = static_cast<std::int64_t>(1 + i * 7 % 1000);
  }
  EXPECT_EQ(rows_of(ids, columns), expected);
  EXPECT_EQ(rows_of({}, columns), Ids{});
}

TEST(PoolingFactors, WhatIsThereCountsOnce) {
  const std::vector<BucketColumn> columns(4, {.num_buckets = 9, .start = 5, .last = kMost});
  const Ids rows{5, 6, 7, 5, 8, 5, 5, 5};
  EXPECT_EQ(factors_of(rows, columns, {}), Floats(8, 1.0F));
  const auto pooled = [](Pooling pooling) {
    return std::vector<PooledColumns>{{.first = 1, .count = 3, .pooling = pooling, .first_weight = -1}};
  };
  const float root = 1.0F / std::sqrt(2.0F);
  EXPECT_EQ(factors_of(rows, columns, pooled(Pooling::kSum)), (Floats{1, 1, 1, 0, 1, 0, 0, 0}));
  EXPECT_EQ(factors_of(rows, columns, pooled(Pooling::kMean)), (Floats{1, 0.5F, 0.5F, 0, 1, 0, 0, 0}));
  EXPECT_EQ(factors_of(rows, columns, pooled(Pooling::kSqrtn)), (Floats{1, root, root, 0, 1, 0, 0, 0}));
}

TEST(PoolingFactors, WeightsBelowZeroCountInSumsAlone) {
  const std::vector<BucketColumn> columns(3, {.num_buckets = 9, .start = 5, .last = kMost});
  const Ids rows{6, 7, 8, 6, 5, 7};
  const Floats weights{9, 1, 3, -4, 9, 0, 5, 0};  // of which the columns from 1 on belong to these
  const auto pooled = [](Pooling pooling) {
    return std::vector<PooledColumns>{{.first = 0, .count = 3, .pooling = pooling, .first_weight = 1}};
  };
  EXPECT_EQ(factors_of(rows, columns, pooled(Pooling::kSum), weights, 4), (Floats{1, 3, -4, 0, 0, 0}));
  EXPECT_EQ(factors_of(rows, columns, pooled(Pooling::kMean), weights, 4), (Floats{0.25F, 0.75F, 0, 0, 0, 0}));
  const float root = std::sqrt(10.0F);
  EXPECT_EQ(factors_of(rows, columns, pooled(Pooling::kSqrtn), weights, 4), (Floats{1 / root, 3 / root, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace polyrank
