#pragma once

#include <cstddef>
#include <span>

#include "polyrank/grouped_rows.hpp"

/// Batch normalisation and the rectifier (ReLU) after it, of layers side by side: two passes over memory each way.
///
/// Results are the same bits on every processor and for every number of threads: no product is fused with a sum, and
/// each sum has a stated order.
namespace polyrank {

/// What follows the normalisation of each unit, [G · H] both, and what keeps its divisor above 0.
struct NormScale {
  std::span<const float> weight;
  std::span<const float> bias;
  float epsilon;
};

/// Writes `max(0, (x - mean) / sqrt(variance + epsilon) · weight + bias)`, and the mean and the biased variance of each
/// unit over the rows, [G · H] both. Ioffe and Szegedy, Batch Normalization, ICML 2015, algorithm 1. Moments are those
/// of eight rows at a time, put together as in Chan et al., Updating Formulae and a Pairwise Algorithm for Computing
/// Sample Variances, 1979, equation 2.1: first up to 256 rows, in their order, then these.
void normalized_relu(GroupedRows<const float> inputs, NormScale scale, std::size_t num_threads, std::span<float> mean,
                     std::span<float> variance, GroupedRows<float> out);

/// Moments over many batches, [G · H] both.
struct RunningMoments {
  std::span<float> mean;
  std::span<float> variance;
};

/// Moves running moments towards those of a batch of `num_rows`, 2 or more, by a part of `momentum` of the way; the
/// variance towards the unbiased one.
void move_moments(std::span<const float> mean, std::span<const float> variance, std::size_t num_rows, float momentum,
                  RunningMoments running) noexcept;

/// Gradients of `normalized_relu` by its inputs, weight and bias, of those of its outputs. Mean and variance are what
/// it wrote. Units that it rectified pass nothing on, also where the outputs are no numbers.
struct NormGradients {
  GroupedRows<float> inputs;
  std::span<float> weight;
  std::span<float> bias;
};
void normalized_relu_gradient(GroupedRows<const float> inputs, NormScale scale, std::span<const float> mean,
                              std::span<const float> variance, GroupedRows<const float> gradients,
                              std::size_t num_threads, NormGradients out);

}  // namespace polyrank
