#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "embedding_binding.hpp"
#include "encode_binding.hpp"
#include "exceptions.hpp"
#include "item_reader.hpp"
#include "layer_binding.hpp"
#include "missing_argument.hpp"
#include "outputs.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/levels.hpp"
#include "polyrank/row_block.hpp"
#include "polyrank/xxhash64.hpp"
#include "rows.hpp"
#include "tensor_binding.hpp"

namespace py = pybind11;

namespace {

polyrank::Dtype dtype_of(std::string_view name) {
  return name == "int64" ? polyrank::Dtype::kInt64 : polyrank::Dtype::kText;
}

polyrank::PythonReading reading_of(std::string_view dtype, std::uint64_t seed, const py::object& missing,
                                   const py::object& odd_value) {
  return {{dtype_of(dtype), seed, polyrank::missing_tokens(missing)}, odd_value};
}

polyrank::Fingerprints fingerprint(const py::object& values, std::string_view dtype, std::uint64_t seed,
                                   const py::object& missing, const py::object& odd_value, const py::object& out) {
  const auto rows = polyrank::take_rows(values);
  auto result = polyrank::output(out, rows->size());
  const auto fingerprints = polyrank::elements(result);
  const auto how = reading_of(dtype, seed, missing, odd_value);
  if (out.is_none() || rows->may_write(fingerprints)) {
    rows->fingerprint(how, fingerprints);
    return result;
  }
  auto apart = polyrank::output(py::none(), rows->size());
  rows->fingerprint(how, polyrank::elements(apart));
  std::ranges::copy(polyrank::elements(apart), fingerprints.begin());
  return result;
}

void chain(const py::object& values, std::string_view dtype, const py::object& missing, const py::object& odd_value,
           const py::object& states, const py::object& is_missing) {
  const auto rows = polyrank::take_rows(values);
  const auto seeds = polyrank::writable<std::uint64_t>(states, rows->size(), "states", "uint64");
  const auto flags = polyrank::writable<bool>(is_missing, rows->size(), "is_missing", "bool");
  rows->chain(reading_of(dtype, 0, missing, odd_value), seeds,
              {reinterpret_cast<std::uint8_t*>(flags.data()), flags.size()});
}

// Both are what no check need be made of: a plain int that fits, and no token.
bool is_plain(const py::object& seed, const py::object& missing) {
  return PyLong_CheckExact(seed.ptr()) != 0 && PyTuple_CheckExact(missing.ptr()) != 0 &&
         PyTuple_GET_SIZE(missing.ptr()) == 0;
}

// None for whatever is odd or refused: the longer way has the words.
py::object fingerprint_one(const py::object& value, const py::object& declared, const py::object& declared_seed,
                           const py::object& missing) {
  if (!is_plain(declared_seed, missing) || PyUnicode_CheckExact(declared.ptr()) == 0) {
    return py::none();
  }
  Py_ssize_t length = 0;
  const char* name = PyUnicode_AsUTF8AndSize(declared.ptr(), &length);
  const std::string_view dtype(name, name == nullptr ? 0 : static_cast<std::size_t>(length));
  if (dtype != "text" && dtype != "int64") {
    PyErr_Clear();
    return py::none();
  }
  const std::uint64_t seed = PyLong_AsUnsignedLongLong(declared_seed.ptr());
  if (seed == std::numeric_limits<std::uint64_t>::max() && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return py::none();
  }
  if (dtype == "text" && PyUnicode_CheckExact(value.ptr()) != 0 && PyUnicode_IS_COMPACT_ASCII(value.ptr()) != 0) {
    // The commonest by far takes half the time without a block.
    const std::span text(static_cast<const std::uint8_t*>(PyUnicode_DATA(value.ptr())),
                         static_cast<std::size_t>(PyUnicode_GET_LENGTH(value.ptr())));
    return py::int_(polyrank::to_fingerprint(polyrank::xxh64(text, seed)));
  }
  const polyrank::PreparedReading how({dtype_of(dtype), seed, {}});
  polyrank::RowBlock block(how);
  polyrank::ItemReader reader;
  std::int64_t result = 0;
  try {
    if (!reader.add(value.ptr(), 0, block)) {
      return py::none();
    }
  } catch (const polyrank::Refusal&) {
    return py::none();
  }
  block.fingerprint({&result, 1});
  return py::int_(result);
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  module.doc() = "Kernels of fingerprint format version 1; polyrank.fingerprint is the public face.";
  module.def(
      "level", [] { return polyrank::active_level().name(); },
      "The instruction-set level of the kernels. Call it before them: it raises ValueError for a bad POLYRANK_ISA.");
  polyrank::add_exceptions(module);
  module.def(
      "take_rows", &polyrank::as_taken, py::arg("values"),
      "Takes a column to hash later, with the capsules of an Arrow one. Returns what stands for it, and its size.");
  module.def("output", &polyrank::output, py::arg("out").none(true), py::arg("size"),
             "`out` if it can take `size` fingerprints, a new array if it is None.");
  module.def("fingerprint", &fingerprint, py::arg("values"), py::arg("dtype"), py::arg("seed"), py::arg("missing"),
             py::arg("odd_value"), py::arg("out") = py::none(),
             "Fingerprints of a list, tuple, numpy array or Arrow column. `odd_value` is asked for the bytes, int or "
             "None that stand for a Python value, given with its row, that the extension does not know.");
  module.def("chain", &chain, py::arg("values"), py::arg("dtype"), py::arg("missing"), py::arg("odd_value"),
             py::arg("states"), py::arg("is_missing"),
             "Hashes each present value with its state as seed, leaves the hash there, and flags the missing ones.");
  module.def("fingerprint_one", &fingerprint_one, py::arg("value"), py::arg("dtype"), py::arg("seed"),
             py::arg("missing") = py::tuple(),
             "The fingerprint of a plain Python value; None for what takes the longer way.");
  polyrank::bind_encode(module);
  polyrank::bind_embedding_rows(module);
  polyrank::bind_layers(module);
  polyrank::bind_tensors(module);
}
