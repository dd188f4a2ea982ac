#include "layer_binding.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "grouped_array.hpp"
#include "number_array.hpp"
#include "polyrank/gated_sums.hpp"
#include "polyrank/normalized_relu.hpp"
#include "thread_count.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

using Units = NumberArray<float>;

/// A number for each unit of `inputs`.
Units units(const py::object& given, const char* name, const GroupedArray& inputs, bool is_written = false) {
  Units found(given, name, 1, is_written);
  found.check_size(inputs.values().num_units(), "one for each unit of inputs");
  return found;
}

std::span<float> written(Units& units) { return {units.written(), units.size()}; }

GroupedArray inputs_of(const py::object& given) {
  GroupedArray inputs(given, "inputs");
  if (inputs.values().num_rows == 0) {
    inputs.refuse("must have 1 or more rows, got 0");
  }
  return inputs;
}

void normalize(const py::object& given_inputs, const py::object& given_weight, const py::object& given_bias,
               float epsilon, const py::object& given_mean, const py::object& given_variance,
               const py::object& given_out, const std::optional<std::pair<py::object, py::object>>& given_running,
               float momentum, std::size_t num_threads) {
  const GroupedArray inputs = inputs_of(given_inputs);
  const Units weight = units(given_weight, "weight", inputs);
  const Units bias = units(given_bias, "bias", inputs);
  Units mean = units(given_mean, "mean", inputs, true);
  Units variance = units(given_variance, "variance", inputs, true);
  GroupedArray out(given_out, "out", true);
  out.check_shape(inputs, "inputs");
  out.check_apart(inputs, "inputs");
  std::optional<std::pair<Units, Units>> running;
  if (given_running.has_value()) {
    running.emplace(units(given_running->first, "running mean", inputs, true),
                    units(given_running->second, "running variance", inputs, true));
    if (inputs.values().num_rows < 2) {
      inputs.refuse("must have 2 or more rows to move a running variance, got 1");
    }
  }
  check_threads(num_threads);
  const NormScale scale{.weight = weight.values(), .bias = bias.values(), .epsilon = epsilon};
  const auto target = out.written();
  const auto means = written(mean);
  const auto variances = written(variance);
  std::optional<RunningMoments> moved;
  if (running.has_value()) {
    moved = {.mean = written(running->first), .variance = written(running->second)};
  }
  const py::gil_scoped_release unlocked;
  normalized_relu(inputs.values(), scale, num_threads, means, variances, target);
  if (moved.has_value()) {
    move_moments(means, variances, inputs.values().num_rows, momentum, *moved);
  }
}

void gradient(const py::object& given_inputs, const py::object& given_weight, const py::object& given_bias,
              float epsilon, const py::object& given_mean, const py::object& given_variance,
              const py::object& given_gradients, const py::object& given_of_inputs, const py::object& given_of_weight,
              const py::object& given_of_bias, std::size_t num_threads) {
  const GroupedArray inputs = inputs_of(given_inputs);
  const Units weight = units(given_weight, "weight", inputs);
  const Units bias = units(given_bias, "bias", inputs);
  const Units mean = units(given_mean, "mean", inputs);
  const Units variance = units(given_variance, "variance", inputs);
  const GroupedArray gradients(given_gradients, "gradients");
  gradients.check_shape(inputs, "inputs");
  GroupedArray of_inputs(given_of_inputs, "of_inputs", true);
  of_inputs.check_shape(inputs, "inputs");
  of_inputs.check_apart(inputs, "inputs");
  of_inputs.check_apart(gradients, "gradients");
  Units of_weight = units(given_of_weight, "of_weight", inputs, true);
  Units of_bias = units(given_of_bias, "of_bias", inputs, true);
  check_threads(num_threads);
  const NormScale scale{.weight = weight.values(), .bias = bias.values(), .epsilon = epsilon};
  const NormGradients target{.inputs = of_inputs.written(), .weight = written(of_weight), .bias = written(of_bias)};
  const py::gil_scoped_release unlocked;
  normalized_relu_gradient(inputs.values(), scale, mean.values(), variance.values(), gradients.values(), num_threads,
                           target);
}

/// Arrays of experts of the same rows and width, and which of them tasks add up, checked.
class Gating {
 public:
  Gating(const std::vector<py::object>& experts, const std::vector<std::uint32_t>& reads, std::size_t num_tasks)
      : reads_(reads), num_tasks_(num_tasks) {
    std::size_t num_experts = 0;
    for (const py::object& given : experts) {
      arrays_.emplace_back(given, "experts");
      rows_.push_back(arrays_.back().values());
      num_experts += rows_.back().num_groups;
      if (rows_.back().num_rows != rows_[0].num_rows || rows_.back().width != rows_[0].width) {
        arrays_.back().refuse("must have the same rows and width in all arrays, got " + arrays_.back().shape() +
                              " after " + arrays_[0].shape());
      }
    }
    if (num_tasks == 0 || reads.empty() || reads.size() % num_tasks != 0) {
      throw std::invalid_argument("reads must be as many for each of " + std::to_string(num_tasks) + " tasks, got " +
                                  std::to_string(reads.size()));
    }
    if (const std::uint32_t last = std::ranges::max(reads); last >= num_experts) {
      throw std::invalid_argument("reads must be below " + std::to_string(num_experts) +
                                  ", the number of experts, got " + std::to_string(last));
    }
  }

  [[nodiscard]] std::span<const GroupedRows<const float>> experts() const noexcept { return rows_; }
  [[nodiscard]] GatePlan plan() const noexcept { return {.reads = reads_, .num_tasks = num_tasks_}; }

  /// A number for each gate of each row.
  [[nodiscard]] Units gates(const py::object& given, const char* name, bool is_written = false) const {
    Units found(given, name, 2, is_written);
    found.check_size(rows_[0].num_rows, "as experts has");
    found.check_width(reads_.size(), "one for each of reads");
    return found;
  }

  /// Refuses other than a vector for each task of each row.
  void check_sums(const GroupedArray& sums) const {
    const auto shape = sums.values();
    if (shape.num_rows != rows_[0].num_rows || shape.num_groups != num_tasks_ || shape.width != rows_[0].width) {
      sums.refuse("must have shape [" + std::to_string(rows_[0].num_rows) + ", " + std::to_string(num_tasks_) + ", " +
                  std::to_string(rows_[0].width) + "], got " + sums.shape());
    }
  }

  void check_apart(const GroupedArray& written) const {
    for (const GroupedArray& array : arrays_) {
      written.check_apart(array, "experts");
    }
  }

  /// Arrays of the shapes of those of experts, to be written.
  [[nodiscard]] std::vector<GroupedRows<float>> like_experts(const std::vector<py::object>& given, const char* name,
                                                             const GroupedArray& read) const {
    if (given.size() != arrays_.size()) {
      throw std::invalid_argument(std::string(name) + " must be as many as experts, " + std::to_string(arrays_.size()) +
                                  ", got " + std::to_string(given.size()));
    }
    std::vector<GroupedRows<float>> found;
    for (std::size_t i = 0; i < given.size(); ++i) {
      GroupedArray array(given[i], name, true);
      array.check_shape(arrays_[i], "experts");
      check_apart(array);
      array.check_apart(read, "gradients");
      found.push_back(array.written());
    }
    return found;
  }

 private:
  const std::vector<std::uint32_t>& reads_;
  std::size_t num_tasks_;
  std::vector<GroupedArray> arrays_;
  std::vector<GroupedRows<const float>> rows_;
};

void gate(const std::vector<py::object>& given_experts, const std::vector<std::uint32_t>& reads,
          const py::object& given_logits, const py::object& given_weights, const py::object& given_out,
          std::size_t num_threads) {
  GroupedArray out(given_out, "out", true);
  const Gating gating(given_experts, reads, out.values().num_groups);
  const Units logits = gating.gates(given_logits, "logits");
  Units weights = gating.gates(given_weights, "weights", true);
  gating.check_sums(out);
  gating.check_apart(out);
  check_threads(num_threads);
  const auto target = out.written();
  const std::span<float> written_weights(weights.written(), weights.values().size());
  const py::gil_scoped_release unlocked;
  gated_sums(gating.experts(), gating.plan(), logits.values(), num_threads, written_weights, target);
}

void gate_gradient(const std::vector<py::object>& given_experts, const std::vector<std::uint32_t>& reads,
                   const py::object& given_weights, const py::object& given_gradients,
                   const py::object& given_of_logits, const std::vector<py::object>& given_of_experts,
                   std::size_t num_threads) {
  const GroupedArray gradients(given_gradients, "gradients");
  const Gating gating(given_experts, reads, gradients.values().num_groups);
  gating.check_sums(gradients);
  const Units weights = gating.gates(given_weights, "weights");
  Units of_logits = gating.gates(given_of_logits, "of_logits", true);
  const auto of_experts = gating.like_experts(given_of_experts, "of_experts", gradients);
  check_threads(num_threads);
  const std::span<float> written_logits(of_logits.written(), of_logits.values().size());
  const py::gil_scoped_release unlocked;
  gated_sums_gradient(gating.experts(), gating.plan(), weights.values(), gradients.values(), num_threads,
                      written_logits, of_experts);
}

}  // namespace

void bind_layers(py::module_& module) {
  module.def("normalized_relu", &normalize, py::arg("inputs"), py::arg("weight"), py::arg("bias"), py::arg("epsilon"),
             py::arg("mean"), py::arg("variance"), py::arg("out"), py::arg("running"), py::arg("momentum"),
             py::arg("threads"), "Normalises over the rows, and rectifies; see polyrank.fused_layers.");
  module.def("normalized_relu_gradient", &gradient, py::arg("inputs"), py::arg("weight"), py::arg("bias"),
             py::arg("epsilon"), py::arg("mean"), py::arg("variance"), py::arg("gradients"), py::arg("of_inputs"),
             py::arg("of_weight"), py::arg("of_bias"), py::arg("threads"),
             "Gradients of normalized_relu; see polyrank.fused_layers.");
  module.def("gated_sums", &gate, py::arg("experts"), py::arg("reads"), py::arg("logits"), py::arg("weights"),
             py::arg("out"), py::arg("threads"), "Adds up experts by a softmax; see polyrank.fused_layers.");
  module.def("gated_sums_gradient", &gate_gradient, py::arg("experts"), py::arg("reads"), py::arg("weights"),
             py::arg("gradients"), py::arg("of_logits"), py::arg("of_experts"), py::arg("threads"),
             "Gradients of gated_sums; see polyrank.fused_layers.");
}

}  // namespace polyrank
