#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "encode_binding.hpp"
#include "exceptions.hpp"
#include "outputs.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"
#include "rows.hpp"

namespace py = pybind11;

namespace {

polyrank::Dtype dtype_of(std::string_view name) {
  return name == "int64" ? polyrank::Dtype::kInt64 : polyrank::Dtype::kText;
}

polyrank::PythonReading reading_of(std::string_view dtype, std::uint64_t seed, const py::object& missing,
                                   const py::object& odd_value) {
  polyrank::PythonReading how{{dtype_of(dtype), seed, {}}, odd_value};
  if (py::len(missing) == 0) {
    return how;
  }
  for (const py::handle token : py::iter(missing)) {
    Py_ssize_t length = 0;
    const char* text = PyUnicode_AsUTF8AndSize(token.ptr(), &length);
    if (text != nullptr) {
      how.reading.missing.emplace_back(text, static_cast<std::size_t>(length));
    } else if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) != 0) {
      PyErr_Clear();  // equals no bytes; text like it is odd, and Python compares it
    } else {
      throw py::error_already_set();
    }
  }
  return how;
}

polyrank::Fingerprints fingerprint(const py::object& values, std::string_view dtype, std::uint64_t seed,
                                   const py::object& missing, const py::object& odd_value, const py::object& out) {
  const auto rows = polyrank::take_rows(values);
  auto result = polyrank::output(out, rows->size());
  const auto fingerprints = polyrank::elements(result);
  if (!rows->may_write(fingerprints)) {
    throw py::value_error("out must not overlap values, unless it is values");
  }
  rows->fingerprint(reading_of(dtype, seed, missing, odd_value), fingerprints);
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

// The bytes of an ASCII str or of bytes, under text.
std::optional<std::string_view> text_key(PyObject* value) {
  if (PyUnicode_CheckExact(value) != 0 && PyUnicode_IS_COMPACT_ASCII(value) != 0) {
    return std::string_view(static_cast<const char*>(PyUnicode_DATA(value)),
                            static_cast<std::size_t>(PyUnicode_GET_LENGTH(value)));
  }
  if (PyBytes_CheckExact(value) != 0) {
    return std::string_view(PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value)));
  }
  return std::nullopt;
}

template <typename Column>
std::int64_t hash_integer(std::int64_t value, std::uint64_t seed) {
  std::int64_t result = 0;
  polyrank::fingerprint(Column{.values = {&value, 1}, .validity = {}}, seed, {&result, 1});
  return result;
}

py::object fingerprint_one(const py::object& value, std::string_view dtype, std::uint64_t seed) {
  const bool is_text = dtype == "text";
  if (is_text) {
    if (const auto key = text_key(value.ptr())) {
      const std::span bytes(reinterpret_cast<const std::uint8_t*>(key->data()), key->size());
      return py::int_(polyrank::to_fingerprint(polyrank::xxh64(bytes, seed)));
    }
  }
  if (PyLong_CheckExact(value.ptr()) == 0 || (!is_text && dtype != "int64")) {
    return py::none();
  }
  int overflow = 0;
  const std::int64_t integer = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow != 0) {
    return py::none();
  }
  return py::int_(is_text ? hash_integer<polyrank::DecimalColumn>(integer, seed)
                          : hash_integer<polyrank::Int64Column>(integer, seed));
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  module.doc() = "Kernels of fingerprint format version 1; polyrank.fingerprint is the public face.";
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
             "The fingerprint of a str, int or bytes; None for what takes the longer way.");
  polyrank::bind_encode(module);
}
