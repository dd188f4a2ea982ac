#pragma once

#include <pybind11/pybind11.h>

#include <span>

namespace polyrank {

/// The numbers of a one-dimensional array of float or double, such as numpy's. Needs the GIL.
class NumberBuffer {
 public:
  explicit NumberBuffer(PyObject* value);
  ~NumberBuffer();
  NumberBuffer(const NumberBuffer&) = delete;
  NumberBuffer& operator=(const NumberBuffer&) = delete;

  /// False where these are not as many finite numbers as `out` holds.
  [[nodiscard]] bool read(std::span<float> out) const noexcept;

 private:
  template <typename T>
  [[nodiscard]] bool copy(std::span<float> out) const noexcept;

  Py_buffer view_{};
  bool is_open_;
};

}  // namespace polyrank
