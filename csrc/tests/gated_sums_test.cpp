#include "polyrank/gated_sums.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace polyrank {
namespace {

using Floats = std::vector<float>;
using Reads = std::vector<std::uint32_t>;

/// [B, G, H], rows first.
template <typename Float>
GroupedRows<Float> rows_of(Float* values, std::size_t num_rows, std::size_t num_groups, std::size_t width) {
  return {.values = values,
          .num_rows = num_rows,
          .num_groups = num_groups,
          .width = width,
          .row_stride = static_cast<std::ptrdiff_t>(num_groups * width),
          .group_stride = static_cast<std::ptrdiff_t>(width)};
}

class GatedWidth : public testing::TestWithParam<std::size_t> {};

// Two rows; two experts in one array, one in another; two tasks, of which each reads one of the first and the last.
TEST_P(GatedWidth, SumsAndGradientsAreThoseOfTheSoftmax) {
  const std::size_t width = GetParam();
  Floats own(2 * 2 * width);
  Floats common(2 * width);
  std::iota(own.begin(), own.end(), 1.0F);
  std::iota(common.begin(), common.end(), -5.0F);
  const std::vector<GroupedRows<const float>> experts{rows_of<const float>(own.data(), 2, 2, width),
                                                      rows_of<const float>(common.data(), 2, 1, width)};
  const Reads reads{0, 2, 2, 1};
  const GatePlan plan{.reads = reads, .num_tasks = 2};
  const Floats logits{0.0F, std::log(3.0F), 0.0F, 0.0F, std::log(3.0F), 0.0F, 100.0F, 100.0F};
  const Floats expected{0.25F, 0.75F, 0.5F, 0.5F, 0.75F, 0.25F, 0.5F, 0.5F};
  Floats weights(8);
  Floats sums(2 * 2 * width);
  gated_sums(experts, plan, logits, 1, weights, rows_of(sums.data(), 2, 2, width));
  Floats slopes(sums.size());
  std::iota(slopes.begin(), slopes.end(), 2.0F);
  Floats of_logits(8);
  Floats of_own(own.size(), -1.0F);
  Floats of_common(common.size(), -1.0F);
  const std::vector<GroupedRows<float>> targets{rows_of(of_own.data(), 2, 2, width),
                                                rows_of(of_common.data(), 2, 1, width)};
  gated_sums_gradient(experts, plan, weights, rows_of<const float>(slopes.data(), 2, 2, width), 1, of_logits, targets);
  for (std::size_t row = 0; row < 2; ++row) {
    const float* weight = expected.data() + row * 4;
    float of_first = 0.0F;
    float of_second = 0.0F;
    for (std::size_t i = 0; i < width; ++i) {
      const float first = own[row * 2 * width + i];
      const float second = own[(row * 2 + 1) * width + i];
      const float shared = common[row * width + i];
      const float slope = slopes[row * 2 * width + i];
      const float other = slopes[(row * 2 + 1) * width + i];
      EXPECT_FLOAT_EQ(sums[row * 2 * width + i], weight[0] * first + weight[1] * shared);
      EXPECT_FLOAT_EQ(sums[(row * 2 + 1) * width + i], weight[2] * shared + weight[3] * second);
      EXPECT_FLOAT_EQ(of_own[row * 2 * width + i], weight[0] * slope);
      EXPECT_FLOAT_EQ(of_own[(row * 2 + 1) * width + i], weight[3] * other);
      EXPECT_FLOAT_EQ(of_common[row * width + i], weight[1] * slope + weight[2] * other);
      of_first += weight[0] * weight[1] * slope * (first - shared);
      of_second += weight[2] * weight[3] * other * (shared - second);
    }
    const float tolerance = 1e-4F * static_cast<float>(width * width * width);
    EXPECT_NEAR(of_logits[row * 4], of_first, tolerance);
    EXPECT_NEAR(of_logits[row * 4 + 1], -of_first, tolerance);
    EXPECT_NEAR(of_logits[row * 4 + 2], of_second, tolerance);
    EXPECT_NEAR(of_logits[row * 4 + 3], -of_second, tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryLoop, GatedWidth, testing::Values(1, 7, 8, 16, 17, 32, 64));

TEST(GatedSums, ExpertsThatNoTaskReadsHaveNoGradient) {
  const Floats experts{1.0F, 2.0F};
  const std::vector<GroupedRows<const float>> arrays{rows_of<const float>(experts.data(), 1, 2, 1)};
  const Reads reads{1};
  const GatePlan plan{.reads = reads, .num_tasks = 1};
  const Floats slopes{3.0F};
  const Floats weights{1.0F};
  Floats of_logits(1, -1.0F);
  Floats of_experts(2, -1.0F);
  const std::vector<GroupedRows<float>> targets{rows_of(of_experts.data(), 1, 2, 1)};
  gated_sums_gradient(arrays, plan, weights, rows_of<const float>(slopes.data(), 1, 1, 1), 1, of_logits, targets);
  EXPECT_EQ(of_experts, (Floats{0.0F, 3.0F}));
  EXPECT_EQ(of_logits[0], 0.0F);
}

}  // namespace
}  // namespace polyrank
