#pragma once

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "polyrank/grouped_rows.hpp"

namespace polyrank {

/// A numpy array of float32 [B, G, H] whose last axis is contiguous, in place. What is wrong with an array is thrown as
/// std::invalid_argument.
class GroupedArray {
 public:
  GroupedArray(const pybind11::object& given, const char* name, bool is_written = false) : name_(name) {
    namespace py = pybind11;
    if (!py::isinstance<py::array_t<float>>(given)) {
      refuse(std::string("must be a numpy array of float32, got ") +
             (py::isinstance<py::array>(given) ? py::cast<std::string>(py::str(given.attr("dtype")))
                                               : std::string(Py_TYPE(given.ptr())->tp_name)));
    }
    array_ = py::reinterpret_borrow<py::array>(given);
    if (array_.ndim() != 3) {
      refuse("must have 3 dimensions, got " + std::to_string(array_.ndim()));
    }
    if (array_.size() == 0) {  // strides of none, whatever they are, lead nowhere
      return;
    }
    const bool is_even = stride(0) % kItem == 0 && stride(1) % kItem == 0;
    const bool is_contiguous = array_.shape(2) < 2 || stride(2) == kItem;
    if (!is_even || !is_contiguous || reinterpret_cast<std::uintptr_t>(array_.data()) % alignof(float) != 0) {
      refuse("must be aligned, its last axis contiguous (copy it with numpy.ascontiguousarray)");
    }
    if (is_written && (!array_.writeable() || overlaps_itself())) {
      refuse("must be writable, and no two of its elements the same");
    }
  }

  [[nodiscard]] GroupedRows<const float> values() const { return view(static_cast<const float*>(array_.data())); }
  [[nodiscard]] GroupedRows<float> written() { return view(static_cast<float*>(array_.mutable_data())); }

  [[nodiscard]] std::string shape() const {
    return "[" + std::to_string(array_.shape(0)) + ", " + std::to_string(array_.shape(1)) + ", " +
           std::to_string(array_.shape(2)) + "]";
  }

  void check_shape(const GroupedArray& other, const char* other_name) const {
    for (const int axis : {0, 1, 2}) {
      if (array_.shape(axis) != other.array_.shape(axis)) {
        refuse(std::string("must have the shape of ") + other_name + ", " + other.shape() + ", got " + shape());
      }
    }
  }

  /// Refuses an array that is written and shares memory with another, or lies among it.
  void check_apart(const GroupedArray& other, const char* other_name) const {
    const auto [begin, end] = extent();
    const auto [other_begin, other_end] = other.extent();
    if (begin < other_end && other_begin < end) {
      refuse(std::string("must share no memory with ") + other_name);
    }
  }

  [[noreturn]] void refuse(const std::string& why) const { throw std::invalid_argument(name_ + (" " + why)); }

 private:
  static constexpr std::ptrdiff_t kItem = sizeof(float);

  [[nodiscard]] std::ptrdiff_t stride(int axis) const { return array_.strides(axis); }

  template <typename Float>
  [[nodiscard]] GroupedRows<Float> view(Float* values) const {
    return {.values = values,
            .num_rows = static_cast<std::size_t>(array_.shape(0)),
            .num_groups = static_cast<std::size_t>(array_.shape(1)),
            .width = static_cast<std::size_t>(array_.shape(2)),
            .row_stride = stride(0) / kItem,
            .group_stride = stride(1) / kItem};
  }

  /// The bytes between the first element in memory and the end of the last.
  [[nodiscard]] std::pair<std::uintptr_t, std::uintptr_t> extent() const {
    auto begin = reinterpret_cast<std::uintptr_t>(array_.data());
    auto end = begin;
    if (array_.size() == 0) {
      return {begin, end};
    }
    for (const int axis : {0, 1, 2}) {
      const std::ptrdiff_t reach = (array_.shape(axis) - 1) * stride(axis);
      (reach < 0 ? begin : end) += static_cast<std::uintptr_t>(reach);
    }
    return {begin, end + sizeof(float)};
  }

  [[nodiscard]] bool overlaps_itself() const {
    std::ptrdiff_t covered = array_.shape(2) * kItem;
    const bool rows_first = std::abs(stride(0)) < std::abs(stride(1));
    for (const int axis : {rows_first ? 0 : 1, rows_first ? 1 : 0}) {
      if (array_.shape(axis) > 1 && std::abs(stride(axis)) < covered) {
        return true;
      }
      covered = std::max(covered, (array_.shape(axis) - 1) * std::abs(stride(axis)) + covered);
    }
    return false;
  }

  const char* name_;
  pybind11::array array_;
};

}  // namespace polyrank
