#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "polyrank/grouped_rows.hpp"

/// Experts added up by weights that a gate gives, for several tasks at once.
///
/// Results are the same bits for every number of threads, and on every processor where the C library's exponential is.
namespace polyrank {

/// Which experts each of T tasks adds up: of all, counted through, K for each task, [T · K].
struct GatePlan {
  std::span<const std::uint32_t> reads;
  std::size_t num_tasks;

  [[nodiscard]] std::size_t num_reads() const noexcept { return reads.size() / num_tasks; }
};

/// Writes the softmax of each task's K logits, [B, T · K] both, and the sum of its experts by these weights, [B, T, H].
/// Experts are those of several arrays of the same B and H, one after another. Ma et al., MMoE, KDD 2018, equations 6
/// and 7.
void gated_sums(std::span<const GroupedRows<const float>> experts, GatePlan plan, std::span<const float> logits,
                std::size_t num_threads, std::span<float> weights, GroupedRows<float> out);

/// Gradients of `gated_sums` by logits, [B, T · K], and experts, in arrays of their shapes, of those of its sums.
/// Experts that no task reads get 0.
void gated_sums_gradient(std::span<const GroupedRows<const float>> experts, GatePlan plan,
                         std::span<const float> weights, GroupedRows<const float> gradients, std::size_t num_threads,
                         std::span<float> of_logits, std::span<const GroupedRows<float>> of_experts);

}  // namespace polyrank
