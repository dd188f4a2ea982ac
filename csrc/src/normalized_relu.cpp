#include "polyrank/normalized_relu.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "parallel.hpp"
#include "row_vectors.hpp"

namespace polyrank {
namespace {

using Bits = std::int32_t __attribute__((vector_size(16)));

constexpr std::size_t kBlockRows = 8;
constexpr std::size_t kPartRows = 256;
constexpr std::size_t kMinFloatsOfThread = 1 << 18;  // fewer are done before a second thread has started

template <typename Vector>
Vector load(const float* from) noexcept;
template <>
Quad load<Quad>(const float* from) noexcept {
  return load_quad(from);
}
template <>
float load<float>(const float* from) noexcept {
  return *from;
}

void store(Quad values, float* to) noexcept { store_quad(values, to); }
void store(float value, float* to) noexcept { *to = value; }

/// `values` where `decides` is above 0 or no number, and 0 elsewhere.
Quad where_positive(Quad decides, Quad values) noexcept {
  const Bits dropped = decides <= Quad{};
  return std::bit_cast<Quad>(~dropped & std::bit_cast<Bits>(values));
}
float where_positive(float decides, float value) noexcept { return decides <= 0.0F ? 0.0F : value; }

/// Calls `visit(kind, at)` for each quad of the units, and for each unit that is left; `kind` is a Quad or a float.
template <typename Visit>
void for_each_unit(std::size_t width, const Visit& visit) noexcept {
  const std::size_t whole = in_quads(width);
  for (std::size_t at = 0; at < whole; at += kQuad) {
    visit(Quad{}, at);
  }
  for (std::size_t at = whole; at < width; ++at) {
    visit(0.0F, at);
  }
}

/// Up to kBlockRows rows of a group.
template <typename Float>
std::array<Float*, kBlockRows> pointers(const GroupedRows<Float>& rows, std::size_t begin, std::size_t count,
                                        std::size_t group) noexcept {
  std::array<Float*, kBlockRows> found{};
  for (std::size_t i = 0; i < count; ++i) {
    found[i] = rows.row(begin + i, group);
  }
  return found;
}

/// Calls `visit(first row, count, group)` for each group of each block of rows; the count is a constant where the block
/// is whole.
template <typename Visit>
void for_each_block(std::size_t begin, std::size_t end, std::size_t num_groups, const Visit& visit) noexcept {
  const auto visit_groups = [&](auto count) noexcept {
    for (std::size_t group = 0; group < num_groups; ++group) {
      visit(begin, count, group);
    }
  };
  for (; end - begin >= kBlockRows; begin += kBlockRows) {
    visit_groups(std::integral_constant<std::size_t, kBlockRows>{});
  }
  if (begin < end) {
    visit_groups(end - begin);
  }
}

/// Two numbers of each unit, of each part of the rows.
class Parts {
 public:
  Parts(std::size_t num_rows, std::size_t num_units)
      : num_rows_(num_rows), num_units_(num_units), numbers_(2 * num_units * size()) {}

  [[nodiscard]] std::size_t size() const noexcept { return (num_rows_ + kPartRows - 1) / kPartRows; }
  [[nodiscard]] std::size_t begin(std::size_t part) const noexcept { return part * kPartRows; }
  [[nodiscard]] std::size_t end(std::size_t part) const noexcept {
    return std::min(num_rows_, begin(part) + kPartRows);
  }
  [[nodiscard]] float* first(std::size_t part) noexcept { return numbers_.data() + 2 * part * num_units_; }
  [[nodiscard]] float* second(std::size_t part) noexcept { return first(part) + num_units_; }

  /// Calls `work(part)` for each, from so many threads at most.
  template <typename Work>
  void share(std::size_t num_threads, const Work& work) const {
    const std::size_t most = std::min(num_threads, size());
    const std::size_t count = std::clamp<std::size_t>(num_rows_ * num_units_ / kMinFloatsOfThread, 1, most);
    in_parallel(count, [&](std::size_t index) {
      for (std::size_t part = size() * index / count; part < size() * (index + 1) / count; ++part) {
        work(part);
      }
    });
  }

 private:
  std::size_t num_rows_;
  std::size_t num_units_;
  std::vector<float> numbers_;
};

/// Means and sums of squared deviations of some rows, to which others are added.
template <typename Vector>
void add_moments(float* mean, float* squares, std::size_t before, Vector other_mean, Vector other_squares,
                 std::size_t count) noexcept {
  const auto all = static_cast<float>(before + count);
  const Vector delta = other_mean - load<Vector>(mean);
  store(load<Vector>(mean) + delta * (static_cast<float>(count) / all), mean);
  const float shared = static_cast<float>(before) * (static_cast<float>(count) / all);
  store(load<Vector>(squares) + (other_squares + delta * delta * shared), squares);
}

void moments_of_part(const GroupedRows<const float>& inputs, std::size_t begin, std::size_t end, float* means,
                     float* squares) noexcept {
  for_each_block(begin, end, inputs.num_groups, [&](std::size_t first, auto count, std::size_t group) noexcept {
    const auto rows = pointers(inputs, first, count, group);
    const std::size_t unit = group * inputs.width;
    for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
      using Vector = decltype(kind);
      std::array<Vector, kBlockRows> values{};
      Vector sum{};
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = load<Vector>(rows[i] + at);
        sum += values[i];
      }
      const Vector mean = sum / static_cast<float>(static_cast<std::size_t>(count));
      Vector deviations{};
      for (std::size_t i = 0; i < count; ++i) {
        deviations += (values[i] - mean) * (values[i] - mean);
      }
      add_moments<Vector>(means + unit + at, squares + unit + at, first - begin, mean, deviations, count);
    });
  });
}

/// What normalises and scales some units, and rectifies them.
template <typename Vector>
struct Ramp {
  Vector factor;
  Vector summand;

  [[nodiscard]] Vector value(Vector input) const noexcept {
    const Vector scaled = input * factor + summand;
    return where_positive(scaled, scaled);
  }
  [[nodiscard]] Vector passed_on(Vector gradient, Vector input) const noexcept {
    return where_positive(input * factor + summand, gradient);
  }
};

/// The ramps of all units.
class Ramps {
 public:
  Ramps(const NormScale& scale, std::span<const float> mean, std::span<const float> variance)
      : factors_(mean.size()), summands_(mean.size()) {
    for (std::size_t unit = 0; unit < mean.size(); ++unit) {
      factors_[unit] = scale.weight[unit] / std::sqrt(variance[unit] + scale.epsilon);
      summands_[unit] = scale.bias[unit] - mean[unit] * factors_[unit];
    }
  }

  template <typename Vector>
  [[nodiscard]] Ramp<Vector> at(std::size_t unit) const noexcept {
    return {load<Vector>(&factors_[unit]), load<Vector>(&summands_[unit])};
  }

 private:
  std::vector<float> factors_;
  std::vector<float> summands_;
};

}  // namespace

void normalized_relu(GroupedRows<const float> inputs, NormScale scale, std::size_t num_threads, std::span<float> mean,
                     std::span<float> variance, GroupedRows<float> out) {
  Parts parts(inputs.num_rows, inputs.num_units());
  parts.share(num_threads, [&](std::size_t part) noexcept {
    moments_of_part(inputs, parts.begin(part), parts.end(part), parts.first(part), parts.second(part));
  });
  std::ranges::fill(mean, 0.0F);
  std::ranges::fill(variance, 0.0F);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const std::size_t before = parts.begin(part);
    for (std::size_t unit = 0; unit < mean.size(); ++unit) {
      add_moments<float>(&mean[unit], &variance[unit], before, parts.first(part)[unit], parts.second(part)[unit],
                         parts.end(part) - before);
    }
  }
  for (float& squares : variance) {
    squares /= static_cast<float>(inputs.num_rows);
  }
  const Ramps ramps(scale, mean, variance);
  parts.share(num_threads, [&](std::size_t part) noexcept {
    const auto write = [&](std::size_t first, auto count, std::size_t group) noexcept {
      const auto rows = pointers(inputs, first, count, group);
      const auto targets = pointers(out, first, count, group);
      for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
        using Vector = decltype(kind);
        const auto ramp = ramps.at<Vector>(group * inputs.width + at);
        for (std::size_t i = 0; i < count; ++i) {
          store(ramp.value(load<Vector>(rows[i] + at)), targets[i] + at);
        }
      });
    };
    for_each_block(parts.begin(part), parts.end(part), inputs.num_groups, write);
  });
}

void move_moments(std::span<const float> mean, std::span<const float> variance, std::size_t num_rows, float momentum,
                  RunningMoments running) noexcept {
  const auto unbiased = static_cast<float>(static_cast<double>(num_rows) / static_cast<double>(num_rows - 1));
  for (std::size_t unit = 0; unit < mean.size(); ++unit) {
    running.mean[unit] += momentum * (mean[unit] - running.mean[unit]);
    running.variance[unit] += momentum * (variance[unit] * unbiased - running.variance[unit]);
  }
}

void normalized_relu_gradient(GroupedRows<const float> inputs, NormScale scale, std::span<const float> mean,
                              std::span<const float> variance, GroupedRows<const float> gradients,
                              std::size_t num_threads, NormGradients out) {
  const Ramps ramps(scale, mean, variance);
  Parts parts(inputs.num_rows, inputs.num_units());
  parts.share(num_threads, [&](std::size_t part) noexcept {
    const auto add_up = [&](std::size_t first, auto count, std::size_t group) noexcept {
      const auto rows = pointers(inputs, first, count, group);
      const auto slopes = pointers(gradients, first, count, group);
      float* const sums = parts.first(part) + group * inputs.width;
      float* const products = parts.second(part) + group * inputs.width;
      for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
        using Vector = decltype(kind);
        const auto ramp = ramps.at<Vector>(group * inputs.width + at);
        const auto middle = load<Vector>(&mean[group * inputs.width + at]);
        auto sum = load<Vector>(sums + at);
        auto product = load<Vector>(products + at);
        for (std::size_t i = 0; i < count; ++i) {
          const auto input = load<Vector>(rows[i] + at);
          const Vector passed = ramp.passed_on(load<Vector>(slopes[i] + at), input);
          sum += passed;
          product += passed * (input - middle);
        }
        store(sum, sums + at);
        store(product, products + at);
      });
    };
    for_each_block(parts.begin(part), parts.end(part), inputs.num_groups, add_up);
  });
  std::ranges::fill(out.bias, 0.0F);
  std::ranges::fill(out.weight, 0.0F);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    for (std::size_t unit = 0; unit < mean.size(); ++unit) {
      out.bias[unit] += parts.first(part)[unit];
      out.weight[unit] += parts.second(part)[unit];
    }
  }
  // dx = factor · (passed - mean passed - (x - mean) · mean(passed · (x - mean)) / (variance + epsilon))
  const auto num_rows = static_cast<float>(inputs.num_rows);
  std::vector<float> constants(mean.size());
  std::vector<float> tilts(mean.size());
  for (std::size_t unit = 0; unit < mean.size(); ++unit) {
    const float spread = variance[unit] + scale.epsilon;
    const float factor = ramps.at<float>(unit).factor;
    constants[unit] = -factor * (out.bias[unit] / num_rows);
    tilts[unit] = -factor * (out.weight[unit] / num_rows / spread);
    out.weight[unit] /= std::sqrt(spread);
  }
  parts.share(num_threads, [&](std::size_t part) noexcept {
    const auto write = [&](std::size_t first, auto count, std::size_t group) noexcept {
      const auto rows = pointers(inputs, first, count, group);
      const auto slopes = pointers(gradients, first, count, group);
      const auto targets = pointers(out.inputs, first, count, group);
      for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
        using Vector = decltype(kind);
        const std::size_t unit = group * inputs.width + at;
        const auto ramp = ramps.at<Vector>(unit);
        const auto middle = load<Vector>(&mean[unit]);
        const auto constant = load<Vector>(&constants[unit]);
        const auto tilt = load<Vector>(&tilts[unit]);
        for (std::size_t i = 0; i < count; ++i) {
          const auto input = load<Vector>(rows[i] + at);
          const Vector passed = ramp.passed_on(load<Vector>(slopes[i] + at), input);
          store(ramp.factor * passed + ((input - middle) * tilt + constant), targets[i] + at);
        }
      });
    };
    for_each_block(parts.begin(part), parts.end(part), inputs.num_groups, write);
  });
}

}  // namespace polyrank
