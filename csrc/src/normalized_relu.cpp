#include "polyrank/normalized_relu.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
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

/// Calls `visit(first row, count)`, with the count as a constant where a block is whole.
template <typename Visit>
void for_each_block(std::size_t begin, std::size_t end, const Visit& visit) noexcept {
  for (; end - begin >= kBlockRows; begin += kBlockRows) {
    visit(begin, std::integral_constant<std::size_t, kBlockRows>{});
  }
  if (begin < end) {
    visit(begin, end - begin);
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
  for_each_block(begin, end, [&](std::size_t first, auto count) noexcept {
    for (std::size_t group = 0; group < inputs.num_groups; ++group) {
      const auto rows = pointers(inputs, first, count, group);
      float* const mean = means + group * inputs.width;
      float* const square = squares + group * inputs.width;
      for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
        using Vector = decltype(kind);
        std::array<Vector, kBlockRows> values{};
        Vector sum{};
        for (std::size_t i = 0; i < count; ++i) {
          values[i] = load<Vector>(rows[i] + at);
          sum += values[i];
        }
        const Vector middle = sum / static_cast<float>(static_cast<std::size_t>(count));
        Vector deviations{};
        for (std::size_t i = 0; i < count; ++i) {
          deviations += (values[i] - middle) * (values[i] - middle);
        }
        add_moments<Vector>(mean + at, square + at, first - begin, middle, deviations, count);
      });
    }
  });
}

/// Factor and summand of each unit, which normalise and scale it.
struct Line {
  std::vector<float> factor;
  std::vector<float> summand;

  Line(const NormScale& scale, std::span<const float> mean, std::span<const float> variance)
      : factor(mean.size()), summand(mean.size()) {
    for (std::size_t unit = 0; unit < mean.size(); ++unit) {
      factor[unit] = scale.weight[unit] / std::sqrt(variance[unit] + scale.epsilon);
      summand[unit] = scale.bias[unit] - mean[unit] * factor[unit];
    }
  }
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
  const Line line(scale, mean, variance);
  parts.share(num_threads, [&](std::size_t part) noexcept {
    for_each_block(parts.begin(part), parts.end(part), [&](std::size_t first, auto count) noexcept {
      for (std::size_t group = 0; group < inputs.num_groups; ++group) {
        const auto rows = pointers(inputs, first, count, group);
        const auto targets = pointers(out, first, count, group);
        const std::size_t unit = group * inputs.width;
        for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
          using Vector = decltype(kind);
          const auto factor = load<Vector>(&line.factor[unit + at]);
          const auto summand = load<Vector>(&line.summand[unit + at]);
          for (std::size_t i = 0; i < count; ++i) {
            const Vector value = load<Vector>(rows[i] + at) * factor + summand;
            store(where_positive(value, value), targets[i] + at);
          }
        });
      }
    });
  });
}

void normalized_relu_gradient(GroupedRows<const float> inputs, NormScale scale, std::span<const float> mean,
                              std::span<const float> variance, GroupedRows<const float> gradients,
                              std::size_t num_threads, NormGradients out) {
  const Line line(scale, mean, variance);
  Parts parts(inputs.num_rows, inputs.num_units());
  parts.share(num_threads, [&](std::size_t part) noexcept {
    for_each_block(parts.begin(part), parts.end(part), [&](std::size_t first, auto count) noexcept {
      for (std::size_t group = 0; group < inputs.num_groups; ++group) {
        const auto rows = pointers(inputs, first, count, group);
        const auto slopes = pointers(gradients, first, count, group);
        const std::size_t unit = group * inputs.width;
        for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
          using Vector = decltype(kind);
          const auto factor = load<Vector>(&line.factor[unit + at]);
          const auto summand = load<Vector>(&line.summand[unit + at]);
          const auto middle = load<Vector>(&mean[unit + at]);
          float* const to_sum = parts.first(part) + unit + at;
          float* const to_product = parts.second(part) + unit + at;
          auto sum = load<Vector>(to_sum);
          auto product = load<Vector>(to_product);
          for (std::size_t i = 0; i < count; ++i) {
            const auto value = load<Vector>(rows[i] + at);
            const Vector slope = where_positive(value * factor + summand, load<Vector>(slopes[i] + at));
            sum += slope;
            product += slope * (value - middle);
          }
          store(sum, to_sum);
          store(product, to_product);
        });
      }
    });
  });
  std::ranges::fill(out.bias, 0.0F);
  std::ranges::fill(out.weight, 0.0F);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    for (std::size_t unit = 0; unit < mean.size(); ++unit) {
      out.bias[unit] += parts.first(part)[unit];
      out.weight[unit] += parts.second(part)[unit];
    }
  }
  // dx = factor · (slope - mean slope - (x - mean) · mean(slope · (x - mean)) / (variance + epsilon))
  const auto num_rows = static_cast<float>(inputs.num_rows);
  std::vector<float> constant(mean.size());
  std::vector<float> by_distance(mean.size());
  for (std::size_t unit = 0; unit < mean.size(); ++unit) {
    const float spread = variance[unit] + scale.epsilon;
    constant[unit] = -line.factor[unit] * (out.bias[unit] / num_rows);
    by_distance[unit] = -line.factor[unit] * (out.weight[unit] / num_rows / spread);
    out.weight[unit] /= std::sqrt(spread);
  }
  parts.share(num_threads, [&](std::size_t part) noexcept {
    for_each_block(parts.begin(part), parts.end(part), [&](std::size_t first, auto count) noexcept {
      for (std::size_t group = 0; group < inputs.num_groups; ++group) {
        const auto rows = pointers(inputs, first, count, group);
        const auto slopes = pointers(gradients, first, count, group);
        const auto targets = pointers(out.inputs, first, count, group);
        const std::size_t unit = group * inputs.width;
        for_each_unit(inputs.width, [&](auto kind, std::size_t at) noexcept {
          using Vector = decltype(kind);
          const auto factor = load<Vector>(&line.factor[unit + at]);
          const auto summand = load<Vector>(&line.summand[unit + at]);
          const auto middle = load<Vector>(&mean[unit + at]);
          const auto offset = load<Vector>(&constant[unit + at]);
          const auto tilt = load<Vector>(&by_distance[unit + at]);
          for (std::size_t i = 0; i < count; ++i) {
            const auto value = load<Vector>(rows[i] + at);
            const Vector slope = where_positive(value * factor + summand, load<Vector>(slopes[i] + at));
            store(factor * slope + ((value - middle) * tilt + offset), targets[i] + at);
          }
        });
      }
    });
  });
}

}  // namespace polyrank
