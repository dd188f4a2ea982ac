#include "polyrank/pooled_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace polyrank {
namespace {

using Rows = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Widths = std::vector<std::uint32_t>;

class PooledWidth : public testing::TestWithParam<std::size_t> {};

TEST_P(PooledWidth, VectorsAreWeightedSumsOfRows) {
  const std::size_t dim = GetParam();
  Floats table(4 * dim);
  std::iota(table.begin(), table.end(), 1.0F);
  const Rows rows{3, 0, 1, 2, 2, 2};
  const Floats factors{1.0F, 0.5F, 2.0F, 0.25F, 0.0F, 1.0F};
  Floats out(4 * dim, -1.0F);
  pool_rows(table.data(), dim, {.rows = rows, .factors = factors.data(), .widths = Widths{1, 2}}, out.data());
  for (std::size_t i = 0; i < dim; ++i) {
    EXPECT_EQ(out[i], table[3 * dim + i]);
    EXPECT_EQ(out[dim + i], 0.5F * table[i] + 2.0F * table[dim + i]);
    EXPECT_EQ(out[2 * dim + i], 0.25F * table[2 * dim + i]);
    EXPECT_EQ(out[3 * dim + i], table[2 * dim + i]);
  }
}

TEST_P(PooledWidth, GradientsGoToTheRowsThatCount) {
  const std::size_t dim = GetParam();
  Floats gradients(2 * dim);
  std::iota(gradients.begin(), gradients.end(), 1.0F);
  const Rows rows{3, 0, 1};
  const Floats factors{1.0F, 0.0F, 2.0F};
  Rows found(3, -1);
  Floats values(3 * dim, -1.0F);
  const Widths widths{1, 2};
  const PooledRows batch{.rows = rows, .factors = factors.data(), .widths = widths};
  ASSERT_EQ(spread_rows(gradients.data(), dim, batch, found.data(), values.data()), 2u);
  EXPECT_EQ(found, (Rows{3, 1, -1}));
  for (std::size_t i = 0; i < dim; ++i) {
    EXPECT_EQ(values[i], gradients[i]);
    EXPECT_EQ(values[dim + i], 2.0F * gradients[dim + i]);
    EXPECT_EQ(values[2 * dim + i], -1.0F);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryLoop, PooledWidth, testing::Values(1, 7, 8, 16, 17, 32, 64));

TEST(PoolRows, RowsThatDoNotCountAreNotRead) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Floats table{nan, 5.0F};
  Floats out(2, -1.0F);
  pool_rows(table.data(), 1, {.rows = Rows{0, 1, 0, 0}, .factors = Floats{0, 1, 0, 0}.data(), .widths = Widths{2}},
            out.data());
  EXPECT_EQ(out, (Floats{5.0F, 0.0F}));
}

TEST(PoolRows, WithoutFactorsRowsAreAddedUp) {
  const Floats table{1.0F, 10.0F};
  Floats out(1);
  pool_rows(table.data(), 1, {.rows = Rows{0, 1, 1}, .factors = nullptr, .widths = Widths{3}}, out.data());
  EXPECT_EQ(out, (Floats{21.0F}));
}

TEST(PoolRows, NoVectorsWriteNothing) {
  pool_rows(nullptr, 8, {.rows = {}, .factors = nullptr, .widths = Widths{1, 2}}, nullptr);
  EXPECT_EQ(spread_rows(nullptr, 8, {.rows = {}, .factors = nullptr, .widths = {}}, nullptr, nullptr), 0u);
}

}  // namespace
}  // namespace polyrank
