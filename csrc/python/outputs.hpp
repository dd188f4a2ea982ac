#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace polyrank {

using Fingerprints = pybind11::array_t<std::int64_t>;

/// `out` if it can take `size` fingerprints, a new array if it is None. A large new one lies in huge pages where the
/// system has them: to touch fresh small pages costs more than to hash.
[[nodiscard]] Fingerprints output(const pybind11::object& out, std::size_t size);

[[nodiscard]] std::span<std::int64_t> elements(Fingerprints& array);

/// A caller's array of exactly `size` elements of T that a kernel may write.
template <typename T>
[[nodiscard]] std::span<T> writable(const pybind11::object& given, std::size_t size, const std::string& name,
                                    const char* dtype) {
  namespace py = pybind11;
  if (!py::isinstance<py::array_t<T>>(given)) {
    throw py::type_error(name + " must be a numpy array of " + dtype);
  }
  auto array = py::reinterpret_borrow<py::array>(given);
  if (array.ndim() != 1 || static_cast<std::size_t>(array.size()) != size) {
    throw py::value_error(name + " must have shape [" + std::to_string(size) + "], got " +
                          py::cast<std::string>(py::str(py::list(array.attr("shape")))));
  }
  if ((array.flags() & py::array::c_style) == 0 || reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) != 0) {
    throw py::value_error(name + " must be contiguous and aligned, as numpy.empty makes it");
  }
  if (!array.writeable()) {
    throw py::value_error(name + " must be writable");
  }
  return {static_cast<T*>(array.mutable_data()), size};
}

}  // namespace polyrank
