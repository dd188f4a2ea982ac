#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

namespace polyrank {

/// A contiguous numpy array of T with one or two dimensions, in place. What is wrong with an array is thrown as
/// std::invalid_argument.
template <typename T>
class NumberArray {
 public:
  NumberArray(const pybind11::object& given, const char* name, int num_dims, bool is_written = false) : name_(name) {
    namespace py = pybind11;
    constexpr const char* kDtype = sizeof(T) == sizeof(float) ? "float32" : "int64";
    if (!py::isinstance<py::array>(given)) {
      refuse(std::string("must be a numpy array of ") + kDtype + ", got " + Py_TYPE(given.ptr())->tp_name +
             " (view a CPU tensor with .numpy())");
    }
    array_ = py::reinterpret_borrow<py::array>(given);
    if (!py::isinstance<py::array_t<T>>(given)) {
      refuse(std::string("must have dtype ") + kDtype + ", got " + py::cast<std::string>(py::str(array_.dtype())));
    }
    if (array_.ndim() != num_dims) {
      refuse("must have " + std::to_string(num_dims) + (num_dims == 1 ? " dimension" : " dimensions") + ", got " +
             std::to_string(array_.ndim()));
    }
    if ((array_.flags() & py::array::c_style) == 0 ||
        reinterpret_cast<std::uintptr_t>(array_.data()) % alignof(T) != 0) {
      refuse("must be contiguous and aligned (copy it with numpy.ascontiguousarray)");
    }
    if (is_written && !array_.writeable()) {
      refuse("must be writable");
    }
  }

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(array_.shape(0)); }
  [[nodiscard]] std::size_t width() const { return static_cast<std::size_t>(array_.shape(1)); }
  [[nodiscard]] std::span<const T> values() const {
    return {static_cast<const T*>(array_.data()), static_cast<std::size_t>(array_.size())};
  }
  [[nodiscard]] T* written() { return static_cast<T*>(array_.mutable_data()); }

  void check_size(std::size_t size, const char* reason) const { check("rows", this->size(), size, reason); }
  void check_width(std::size_t width, const char* reason) const { check("columns", this->width(), width, reason); }

  [[noreturn]] void refuse(const std::string& why) const { throw std::invalid_argument(name_ + (" " + why)); }

 private:
  void check(const char* what, std::size_t found, std::size_t expected, const char* reason) const {
    if (found != expected) {
      refuse("must have " + std::to_string(expected) + " " + what + ", " + reason + ", got " + std::to_string(found));
    }
  }

  const char* name_;
  pybind11::array array_;
};

}  // namespace polyrank
