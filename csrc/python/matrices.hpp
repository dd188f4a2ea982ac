#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>

#include "polyrank/encode.hpp"

namespace polyrank {

/// The arrays that an encode call returns: the caller's, or new ones.
class OutputMatrices {
 public:
  /// `given` is None or the three arrays `(ids, weights, dense)`, where `weights` may be None if the plan has none.
  /// Throws polyrank.errors.ConfigError for what is no three, py::type_error and py::value_error for arrays that do not
  /// fit.
  OutputMatrices(const pybind11::object& given, const Plan& plan, std::size_t num_rows);

  [[nodiscard]] Matrices pointers() noexcept;
  [[nodiscard]] const pybind11::array& ids() const noexcept { return ids_; }
  [[nodiscard]] const pybind11::object& weights() const noexcept { return weights_; }
  [[nodiscard]] const pybind11::array& dense() const noexcept { return dense_; }

 private:
  pybind11::array ids_;
  pybind11::object weights_;
  pybind11::array dense_;
};

}  // namespace polyrank
