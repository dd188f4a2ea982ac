#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arrow_input.hpp"
#include "encode_binding.hpp"
#include "polyrank/fingerprint.hpp"

namespace py = pybind11;

namespace {

using Fingerprints = py::array_t<std::int64_t>;
using Int64Values = py::array_t<std::int64_t, py::array::c_style>;

template <typename T>
bool is_aligned(const py::array& array) {
  return reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) == 0;
}

// A caller's array of exactly `size` elements of T that a kernel may write.
template <typename T>
std::span<T> writable(const py::object& given, std::size_t size, const std::string& name, const char* dtype) {
  if (!py::isinstance<py::array_t<T>>(given)) {
    throw py::type_error(name + " must be a numpy array of " + dtype);
  }
  auto array = py::reinterpret_borrow<py::array>(given);
  if (array.ndim() != 1 || static_cast<std::size_t>(array.size()) != size) {
    throw py::value_error(name + " must have shape [" + std::to_string(size) + "]");
  }
  if ((array.flags() & py::array::c_style) == 0 || !is_aligned<T>(array)) {
    throw py::value_error(name + " must be contiguous and aligned");
  }
  if (!array.writeable()) {
    throw py::value_error(name + " must be writable");
  }
  return {static_cast<T*>(array.mutable_data()), size};
}

Fingerprints output(const py::object& out, std::size_t size) {
  if (out.is_none()) {
    return Fingerprints(static_cast<py::ssize_t>(size));
  }
  writable<std::int64_t>(out, size, "out", "int64");
  return py::reinterpret_borrow<Fingerprints>(out);
}

std::span<std::int64_t> elements(Fingerprints& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

Fingerprints fingerprint_arrow(const py::object& schema, const py::object& array, std::uint64_t seed,
                               const py::object& out) {
  polyrank::ArrowInput input(schema, array);
  Fingerprints result = output(out, input.size());
  const auto fingerprints = elements(result);
  {
    const py::gil_scoped_release unlocked;
    std::visit([&](const auto& column) { polyrank::fingerprint(column, seed, fingerprints); }, input.column());
  }
  return result;
}

Fingerprints fingerprint_int64(const Int64Values& values, std::uint64_t seed, const py::object& out) {
  if (values.ndim() != 1 || !is_aligned<std::int64_t>(values)) {
    throw py::value_error("values must be one-dimensional and aligned");
  }
  const std::span keys(values.data(), static_cast<std::size_t>(values.size()));
  Fingerprints result = output(out, keys.size());
  const auto fingerprints = elements(result);
  const auto distance =
      reinterpret_cast<std::intptr_t>(fingerprints.data()) - reinterpret_cast<std::intptr_t>(keys.data());
  const auto length = static_cast<std::intptr_t>(keys.size_bytes());
  if (distance != 0 && distance < length && -distance < length) {
    throw py::value_error("out must not overlap values, unless it is values");
  }
  {
    const py::gil_scoped_release unlocked;
    polyrank::fingerprint(polyrank::Int64Column{.values = keys, .validity = {}}, seed, fingerprints);
  }
  return result;
}

// The UTF-8 of a str, cached in the str by Python; no data for None.
std::string_view utf8_of(py::handle item, std::size_t index) {
  if (item.is_none()) {
    return {};
  }
  if (PyUnicode_Check(item.ptr()) == 0) {
    throw py::type_error("item " + std::to_string(index) + " must be str or None, got " + Py_TYPE(item.ptr())->tp_name);
  }
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(item.ptr(), &length);
  if (text == nullptr) {
    if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0) {
      throw py::error_already_set();
    }
    PyErr_Clear();
    throw py::value_error("item " + std::to_string(index) + " has no UTF-8 form (lone surrogate)");
  }
  return {text, static_cast<std::size_t>(length)};
}

Fingerprints fingerprint_list(const py::list& values, std::uint64_t seed, const py::object& out) {
  // The tuple holds every string while the GIL is released, even if another thread empties the list.
  const auto snapshot = py::reinterpret_steal<py::tuple>(PyList_AsTuple(values.ptr()));
  if (!snapshot) {
    throw py::error_already_set();
  }
  std::vector<std::string_view> keys;
  keys.reserve(snapshot.size());
  for (const py::handle item : snapshot) {
    keys.push_back(utf8_of(item, keys.size()));
  }
  Fingerprints result = output(out, keys.size());
  const auto fingerprints = elements(result);
  {
    const py::gil_scoped_release unlocked;
    polyrank::fingerprint(polyrank::ScatteredColumn{keys}, seed, fingerprints);
  }
  return result;
}

void chain_arrow(const py::object& schema, const py::object& array, const py::object& states) {
  polyrank::ArrowInput input(schema, array);
  const auto seeds = writable<std::uint64_t>(states, input.size(), "states", "uint64");
  const py::gil_scoped_release unlocked;
  std::visit([&](const auto& column) { polyrank::chain(column, seeds); }, input.column());
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  module.doc() = "Kernels of fingerprint format version 1; polyrank.fingerprint is the public face.";
  module.def("output", &output, py::arg("out").none(true), py::arg("size"),
             "`out` if it can take `size` fingerprints, a new array if it is None.");
  module.def("fingerprint_arrow", &fingerprint_arrow, py::arg("schema"), py::arg("array"), py::arg("seed"),
             py::arg("out") = py::none(), "Fingerprints of an Arrow text, bytes or int64 array. Consumes the array.");
  module.def("fingerprint_int64", &fingerprint_int64, py::arg("values"), py::arg("seed"), py::arg("out") = py::none(),
             "Fingerprints of integers.");
  module.def("fingerprint_list", &fingerprint_list, py::arg("values"), py::arg("seed"), py::arg("out") = py::none(),
             "Fingerprints of a list of str and None.");
  module.def("chain_arrow", &chain_arrow, py::arg("schema"), py::arg("array"), py::arg("states"),
             "Hashes each present value with its state as seed, and leaves the hash there. Consumes the array.");
  polyrank::bind_encode(module);
}
