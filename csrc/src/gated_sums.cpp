#include "polyrank/gated_sums.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "parallel.hpp"
#include "row_vectors.hpp"
#include "row_width.hpp"

namespace polyrank {
namespace {

constexpr std::size_t kMinFloatsOfThread = 1 << 18;  // fewer are done before a second thread has started

/// An expert of one of the arrays.
template <typename Float>
struct Expert {
  GroupedRows<Float> rows;
  std::size_t group;

  [[nodiscard]] Float* row(std::size_t row) const noexcept { return rows.row(row, group); }
};

template <typename Float>
std::vector<Expert<Float>> counted_through(std::span<const GroupedRows<Float>> arrays) {
  std::vector<Expert<Float>> all;
  for (const auto& rows : arrays) {
    for (std::size_t group = 0; group < rows.num_groups; ++group) {
      all.push_back({rows, group});
    }
  }
  return all;
}

/// Calls `work(row, width)` for each row, from so many threads at most; each has `num_vectors` of this width to add.
template <typename Work>
void for_each_row(std::size_t num_rows, std::size_t num_vectors, std::size_t width, std::size_t num_threads,
                  const Work& work) {
  const std::size_t num_floats = num_rows * num_vectors * width;
  const std::size_t count = std::clamp<std::size_t>(num_floats / kMinFloatsOfThread, 1, num_threads);
  in_parallel(count, [&](std::size_t index) {
    with_width(width, [&](auto constant) noexcept {
      for (std::size_t row = num_rows * index / count; row < num_rows * (index + 1) / count; ++row) {
        work(row, constant);
      }
    });
  });
}

void softmax(std::span<const float> logits, std::span<float> weights) noexcept {
  const float largest = *std::ranges::max_element(logits);
  float sum = 0.0F;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    weights[i] = std::exp(logits[i] - largest);
    sum += weights[i];
  }
  for (float& weight : weights) {
    weight /= sum;
  }
}

template <typename Width>
float dot(const float* one, const float* other, Width width) noexcept {
  const std::size_t whole = in_quads(width);
  Quad sums{};
  for (std::size_t i = 0; i < whole; i += kQuad) {
    sums += load_quad(one + i) * load_quad(other + i);
  }
  float sum = (sums[0] + sums[2]) + (sums[1] + sums[3]);
  for (std::size_t i = whole; i < width; ++i) {
    sum += one[i] * other[i];
  }
  return sum;
}

/// Adds a row times a factor to a target, or begins it.
template <typename Width>
void add_scaled(const float* row, float factor, bool is_first, Width width, float* target) noexcept {
  if (is_first) {
    scale_row(row, factor, width, target);
  } else {
    combine_row(target, row, width, [=](auto sum, auto value) { return sum + factor * value; });
  }
}

}  // namespace

void gated_sums(std::span<const GroupedRows<const float>> experts, GatePlan plan, std::span<const float> logits,
                std::size_t num_threads, std::span<float> weights, GroupedRows<float> out) {
  const auto all = counted_through(experts);
  const std::size_t num_gates = plan.reads.size();
  const std::size_t num_reads = plan.num_reads();
  for_each_row(out.num_rows, num_gates, out.width, num_threads, [&](std::size_t row, auto width) noexcept {
    for (std::size_t task = 0; task < plan.num_tasks; ++task) {
      const std::size_t first = row * num_gates + task * num_reads;
      const auto own = weights.subspan(first, num_reads);
      softmax(logits.subspan(first, num_reads), own);
      for (std::size_t i = 0; i < num_reads; ++i) {
        const std::uint32_t expert = plan.reads[task * num_reads + i];
        add_scaled(all[expert].row(row), own[i], i == 0, width, out.row(row, task));
      }
    }
  });
}

void gated_sums_gradient(std::span<const GroupedRows<const float>> experts, GatePlan plan,
                         std::span<const float> weights, GroupedRows<const float> gradients, std::size_t num_threads,
                         std::span<float> of_logits, std::span<const GroupedRows<float>> of_experts) {
  const auto all = counted_through(experts);
  const auto targets = counted_through(of_experts);
  const std::size_t num_gates = plan.reads.size();
  const std::size_t num_reads = plan.num_reads();
  std::vector<bool> is_first(num_gates);  // of the gates of an expert
  std::vector<bool> is_read(all.size());
  for (std::size_t gate = 0; gate < num_gates; ++gate) {
    is_first[gate] = !is_read[plan.reads[gate]];
    is_read[plan.reads[gate]] = true;
  }
  const std::size_t num_rows = gradients.num_rows;
  for_each_row(num_rows, 2 * num_gates, gradients.width, num_threads, [&](std::size_t row, auto width) noexcept {
    for (std::size_t expert = 0; expert < all.size(); ++expert) {
      if (!is_read[expert]) {
        std::fill_n(targets[expert].row(row), static_cast<std::size_t>(width), 0.0F);
      }
    }
    for (std::size_t task = 0; task < plan.num_tasks; ++task) {
      const float* slope = gradients.row(row, task);
      const std::size_t first = row * num_gates + task * num_reads;
      float mean = 0.0F;
      for (std::size_t i = 0; i < num_reads; ++i) {
        const std::size_t gate = task * num_reads + i;
        const std::uint32_t expert = plan.reads[gate];
        of_logits[first + i] = dot(slope, all[expert].row(row), width);
        mean += weights[first + i] * of_logits[first + i];
        add_scaled(slope, weights[first + i], is_first[gate], width, targets[expert].row(row));
      }
      for (std::size_t i = 0; i < num_reads; ++i) {
        of_logits[first + i] = weights[first + i] * (of_logits[first + i] - mean);
      }
    }
  });
}

}  // namespace polyrank
