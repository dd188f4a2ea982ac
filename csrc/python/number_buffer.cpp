#include "number_buffer.hpp"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace polyrank {

NumberBuffer::NumberBuffer(PyObject* value)
    : is_open_(PyObject_CheckBuffer(value) != 0 &&
               PyObject_GetBuffer(value, &view_, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) == 0) {
  PyErr_Clear();  // an array that is not contiguous is read in the slower way
}

NumberBuffer::~NumberBuffer() {
  if (is_open_) {
    PyBuffer_Release(&view_);
  }
}

bool NumberBuffer::read(std::span<float> out) const noexcept {
  if (!is_open_ || view_.ndim != 1 || view_.shape[0] != static_cast<Py_ssize_t>(out.size())) {
    return false;
  }
  const std::string_view format = view_.format == nullptr ? "B" : view_.format;
  return (format == "f" && copy<float>(out)) || (format == "d" && copy<double>(out));
}

template <typename T>
bool NumberBuffer::copy(std::span<float> out) const noexcept {
  bool is_finite = true;
  for (std::size_t i = 0; i < out.size(); ++i) {
    T number;
    std::memcpy(&number, static_cast<const char*>(view_.buf) + i * sizeof(T), sizeof(T));  // may be unaligned
    out[i] = static_cast<float>(number);
    is_finite &= std::isfinite(out[i]);
  }
  return is_finite;
}

}  // namespace polyrank
