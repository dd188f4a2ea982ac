#include "polyrank/normalized_relu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

namespace polyrank {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

constexpr float kEpsilon = 1e-5F;

Floats drawn(std::size_t size, unsigned seed, float mean = 0.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, 2.0F);
  Floats values(size);
  std::ranges::generate(values, [&] { return normal(random); });
  return values;
}

struct Shape {
  std::size_t rows;
  std::size_t groups;
  std::size_t width;
  bool is_by_group;  ///< whether a group's rows follow one another in memory, not a row's groups

  [[nodiscard]] std::size_t size() const { return rows * groups * width; }
  [[nodiscard]] std::size_t units() const { return groups * width; }
  template <typename Float>
  [[nodiscard]] GroupedRows<Float> view(Float* values) const {
    const auto in_group = static_cast<std::ptrdiff_t>(width);
    return {.values = values,
            .num_rows = rows,
            .num_groups = groups,
            .width = width,
            .row_stride = is_by_group ? in_group : static_cast<std::ptrdiff_t>(units()),
            .group_stride = is_by_group ? static_cast<std::ptrdiff_t>(rows * width) : in_group};
  }
};

struct Found {
  Floats out, mean, variance, inputs, weight, bias;
};

Found found(const Shape& shape, const Floats& inputs, const Floats& gradients, std::size_t num_threads = 1) {
  const Floats weight = drawn(shape.units(), 2);
  const Floats bias = drawn(shape.units(), 3);
  const std::size_t units = shape.units();
  Found all{Floats(shape.size()), Floats(units), Floats(units), Floats(shape.size()), Floats(units), Floats(units)};
  const NormScale scale{.weight = weight, .bias = bias, .epsilon = kEpsilon};
  normalized_relu(shape.view(inputs.data()), scale, num_threads, all.mean, all.variance, shape.view(all.out.data()));
  normalized_relu_gradient(shape.view(inputs.data()), scale, all.mean, all.variance, shape.view(gradients.data()),
                           num_threads, {shape.view(all.inputs.data()), all.weight, all.bias});
  return all;
}

/// What the formulas of the paper say of one unit, in 64 bits.
struct Expected {
  Doubles out, inputs;
  double mean = 0.0, variance = 0.0, weight = 0.0, bias = 0.0;

  Expected(const Doubles& x, const Doubles& slopes, double factor, double summand) : out(x.size()), inputs(x.size()) {
    const auto count = static_cast<double>(x.size());
    for (const double each : x) {
      mean += each / count;
    }
    for (const double each : x) {
      variance += (each - mean) * (each - mean) / count;
    }
    const double root = std::sqrt(variance + kEpsilon);
    Doubles passed(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] = std::max(0.0, (x[i] - mean) / root * factor + summand);
      passed[i] = out[i] > 0.0 ? slopes[i] : 0.0;
      bias += passed[i];
      weight += passed[i] * (x[i] - mean) / root;
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      inputs[i] = factor / root * (passed[i] - bias / count - (x[i] - mean) / root * weight / count);
    }
  }
};

class NormalizedReluShape : public testing::TestWithParam<std::tuple<std::size_t, std::size_t, std::size_t, bool>> {
 protected:
  Shape shape_{std::get<0>(GetParam()), std::get<1>(GetParam()), std::get<2>(GetParam()), std::get<3>(GetParam())};
};

TEST_P(NormalizedReluShape, ValuesAndGradientsAreThoseOfThePaper) {
  const Floats inputs = drawn(shape_.size(), 1, 5.0F);
  const Floats gradients = drawn(shape_.size(), 4);
  const Found all = found(shape_, inputs, gradients);
  const Floats weight = drawn(shape_.units(), 2);
  const Floats bias = drawn(shape_.units(), 3);
  for (std::size_t group = 0; group < shape_.groups; ++group) {
    for (std::size_t at = 0; at < shape_.width; ++at) {
      const std::size_t unit = group * shape_.width + at;
      Doubles x(shape_.rows), slopes(shape_.rows);
      for (std::size_t row = 0; row < shape_.rows; ++row) {
        x[row] = shape_.view(inputs.data()).row(row, group)[at];
        slopes[row] = shape_.view(gradients.data()).row(row, group)[at];
      }
      const Expected expected(x, slopes, weight[unit], bias[unit]);
      ASSERT_NEAR(all.mean[unit], expected.mean, 1e-5);
      ASSERT_NEAR(all.variance[unit], expected.variance, 1e-4);
      ASSERT_NEAR(all.weight[unit], expected.weight, 1e-4 * static_cast<double>(shape_.rows));
      ASSERT_NEAR(all.bias[unit], expected.bias, 1e-4 * static_cast<double>(shape_.rows));
      for (std::size_t row = 0; row < shape_.rows; ++row) {
        ASSERT_NEAR(shape_.view(all.out.data()).row(row, group)[at], expected.out[row], 1e-3);
        const double tolerance = 1e-3 * std::max(1.0, std::abs(expected.inputs[row]));
        ASSERT_NEAR(shape_.view(all.inputs.data()).row(row, group)[at], expected.inputs[row], tolerance);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryLoop, NormalizedReluShape,
                         testing::Combine(testing::Values(2, 7, 8, 256, 300, 1000), testing::Values(1, 3),
                                          testing::Values(1, 3, 4, 6), testing::Bool()));

TEST(NormalizedRelu, EveryNumberOfThreadsGivesTheSameBits) {
  const Shape shape{5000, 2, 150, false};
  const Floats inputs = drawn(shape.size(), 1, 5.0F);
  const Floats gradients = drawn(shape.size(), 4);
  const Found one = found(shape, inputs, gradients);
  const Found five = found(shape, inputs, gradients, 5);
  EXPECT_EQ(one.out, five.out);
  EXPECT_EQ(one.variance, five.variance);
  EXPECT_EQ(one.inputs, five.inputs);
  EXPECT_EQ(one.weight, five.weight);
}

TEST(NormalizedRelu, LayoutsGiveTheSameBits) {
  const Shape by_row{100, 3, 5, false};
  const Shape by_group{100, 3, 5, true};
  const Floats inputs = drawn(by_row.size(), 1);
  Floats others(inputs.size());
  for (std::size_t row = 0; row < 100; ++row) {
    for (std::size_t group = 0; group < 3; ++group) {
      std::copy_n(by_row.view(inputs.data()).row(row, group), 5, by_group.view(others.data()).row(row, group));
    }
  }
  EXPECT_EQ(found(by_row, inputs, inputs).variance, found(by_group, others, others).variance);
  EXPECT_EQ(found(by_row, inputs, inputs).weight, found(by_group, others, others).weight);
}

TEST(NormalizedRelu, VarianceIsThatOfValuesFarFromZero) {
  const Shape shape{1000, 1, 1, false};
  Floats inputs(1000);
  for (std::size_t row = 0; row < inputs.size(); ++row) {
    inputs[row] = 100'000.0F + static_cast<float>(row % 2);
  }
  EXPECT_FLOAT_EQ(found(shape, inputs, inputs).variance[0], 0.25F);
}

TEST(NormalizedRelu, WhatIsNoNumberIsPassedOn) {
  const Shape shape{10, 1, 5, false};
  Floats inputs = drawn(shape.size(), 1);
  inputs[7] = std::numeric_limits<float>::quiet_NaN();  // of unit 2
  const Found all = found(shape, inputs, drawn(shape.size(), 4));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    EXPECT_EQ(std::isnan(all.out[i]), i % 5 == 2);
    EXPECT_EQ(std::isnan(all.inputs[i]), i % 5 == 2);
  }
}

TEST(MoveMoments, GoAPartOfTheWay) {
  const Floats mean{4.0F, -2.0F};
  const Floats variance{3.0F, 6.0F};
  Floats running_mean{0.0F, 2.0F};
  Floats running_variance{1.0F, 1.0F};
  move_moments(mean, variance, 4, 0.25F, {.mean = running_mean, .variance = running_variance});
  EXPECT_EQ(running_mean, (Floats{1.0F, 1.0F}));
  EXPECT_EQ(running_variance, (Floats{1.75F, 2.75F}));
}

}  // namespace
}  // namespace polyrank
