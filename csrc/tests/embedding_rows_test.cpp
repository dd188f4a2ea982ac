#include "polyrank/embedding_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace polyrank {
namespace {

using Rows = std::vector<std::int64_t>;
using Floats = std::vector<float>;

std::pair<Rows, Floats> coalesced(const Rows& rows, const Floats& values, std::size_t dim) {
  std::vector<std::uint64_t> slots(num_coalescing_slots(rows.size()));
  Rows unique(rows.size());
  Floats sums(values.size());
  const std::size_t count = coalesce_rows(rows, values.data(), dim, slots, unique.data(), sums.data());
  unique.resize(count);
  sums.resize(count * dim);
  return {unique, sums};
}

TEST(FirstOutOfRange, FindsRowsOnBothSides) {
  EXPECT_EQ(first_out_of_range(Rows{0, 4, 2}, 5), 3u);
  EXPECT_EQ(first_out_of_range(Rows{0, 5, -1}, 5), 1u);
  EXPECT_EQ(first_out_of_range(Rows{0, INT64_MIN, 5}, 5), 1u);
  EXPECT_EQ(first_out_of_range(Rows{INT64_MAX}, 5), 0u);
}

TEST(FirstOutOfRange, EmptyTableHasNoRow) {
  EXPECT_EQ(first_out_of_range(Rows{}, 0), 0u);
  EXPECT_EQ(first_out_of_range(Rows{0}, 0), 0u);
  EXPECT_EQ(first_out_of_range(Rows{-1}, 0), 0u);
}

class Width : public testing::TestWithParam<std::size_t> {};

TEST_P(Width, GatherCopiesRows) {
  const std::size_t dim = GetParam();
  Floats table(3 * dim);
  std::iota(table.begin(), table.end(), 0.0F);
  Floats out(2 * dim);
  gather_rows(table.data(), dim, Rows{2, 1}, out.data());
  EXPECT_EQ(Floats(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(dim)),
            Floats(table.end() - static_cast<std::ptrdiff_t>(dim), table.end()));
  EXPECT_EQ(out.back(), static_cast<float>(2 * dim - 1));
}

TEST_P(Width, EqualRowsAreAddedInOrder) {
  const std::size_t dim = GetParam();
  Floats values(4 * dim, 1.0F);
  std::fill_n(values.begin(), dim, 1e8F);
  std::fill_n(values.end() - static_cast<std::ptrdiff_t>(dim), dim, -1e8F);
  const auto [unique, sums] = coalesced({9, 9, 3, 9}, values, dim);
  EXPECT_EQ(unique, (Rows{9, 3}));
  Floats expected(2 * dim, 0.0F);  // 1e8 + 1 is 1e8 in float32
  std::fill_n(expected.end() - static_cast<std::ptrdiff_t>(dim), dim, 1.0F);
  EXPECT_EQ(sums, expected);
}

TEST_P(Width, UpdateFollowsTheFormula) {
  const std::size_t dim = GetParam();
  Floats weights(2 * dim, 1.0F);
  Floats sums{5.0F, 0.5F};
  const Floats values(dim, 3.0F);
  update_rowwise_adagrad({.weights = weights.data(), .sums = sums.data(), .dim = dim}, Rows{1}, values.data(),
                         {.lr = 0.1F, .epsilon = 1e-8F, .scale = 0.5F});
  EXPECT_EQ(sums, (Floats{5.0F, 2.75F}));
  EXPECT_EQ(weights.front(), 1.0F);
  EXPECT_NEAR(weights.back(), 1.0 - 0.1 * 1.5 / std::sqrt(2.75), 1e-7);
}

INSTANTIATE_TEST_SUITE_P(EveryLoop, Width, testing::Values(1, 7, 8, 16, 17, 32, 64));

TEST(CoalesceRows, RowsThatShareTheirLowerHalfStayApart) {
  const auto [unique, sums] = coalesced({1, 1 + (std::int64_t{1} << 32), -1, 1}, {1, 2, 4, 8}, 1);
  EXPECT_EQ(unique, (Rows{1, 1 + (std::int64_t{1} << 32), -1}));
  EXPECT_EQ(sums, (Floats{9, 2, 4}));
}

TEST(CoalesceRows, EverySlotCountHoldsItsRows) {
  for (std::int64_t count = 0; count < 70; ++count) {
    Rows rows(static_cast<std::size_t>(count));
    std::iota(rows.begin(), rows.end(), -3);
    EXPECT_EQ(coalesced(rows, Floats(rows.size(), 1.0F), 1), std::pair(rows, Floats(rows.size(), 1.0F)));
  }
}

TEST(UpdateRowwiseAdagrad, SquaresAreAddedInTheStatedOrder) {
  Floats weights(17);
  Floats sums{0.0F};
  Floats values(17);
  std::iota(values.begin(), values.end(), 0.1F);
  const auto square = [&](std::size_t i) { return values[i] * values[i]; };
  Floats partial(8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    partial[i % 8] += square(i);
  }
  const float low = (partial[0] + partial[4]) + (partial[2] + partial[6]);
  const float high = (partial[1] + partial[5]) + (partial[3] + partial[7]);
  update_rowwise_adagrad({.weights = weights.data(), .sums = sums.data(), .dim = 17}, Rows{0}, values.data(),
                         {.lr = 0.1F, .epsilon = 1e-8F, .scale = 1.0F});
  EXPECT_EQ(sums[0], (low + high) / 17.0F);
}

}  // namespace
}  // namespace polyrank
