#include "exceptions.hpp"

#include <stdexcept>

#include "polyrank/source.hpp"
#include "rows.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

const char* name_of(Reason reason) noexcept {
  switch (reason) {
    case Reason::kNotWhole:
      return "not_whole";
    case Reason::kInfinite:
      return "infinite";
    case Reason::kTooLarge:
      return "too_large";
    case Reason::kNotDecimal:
      return "not_decimal";
    case Reason::kOutOfRange:
      return "out_of_range";
    case Reason::kBytes:
      return "bytes";
    case Reason::kInvalidUtf8:
      return "invalid_utf8";
    case Reason::kNotFinite:
      return "not_finite";
    case Reason::kNegative:
      return "negative";
    case Reason::kLengths:
      return "lengths";
  }
  return "unknown";
}

// Held for as long as the process runs, as every exception type of an extension is.
PyObject* refusal_type = nullptr;
PyObject* unknown_layout_type = nullptr;
PyObject* array_error_type = nullptr;
PyObject* export_error_type = nullptr;

PyObject* add(py::module_& module, const char* name) {
  const std::string full_name = py::cast<std::string>(module.attr("__name__")) + "." + name;
  PyObject* type = PyErr_NewException(full_name.c_str(), PyExc_ValueError, nullptr);
  if (type == nullptr) {
    throw py::error_already_set();
  }
  module.add_object(name, type);
  return type;
}

void translate(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Refusal& refusal) {
    const py::tuple arguments = py::make_tuple(name_of(refusal.reason()), refusal.row());
    PyErr_SetObject(refusal_type, arguments.ptr());
  } catch (const UnknownLayout& unknown) {
    PyErr_SetString(unknown_layout_type, unknown.what());
  } catch (const ExportError& error) {
    PyErr_SetString(export_error_type, error.what());
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(array_error_type, error.what());
  }
}

}  // namespace

void add_exceptions(py::module_& module) {
  refusal_type = add(module, "RefusalError");
  unknown_layout_type = add(module, "UnknownLayoutError");
  array_error_type = add(module, "ArrayError");
  export_error_type = add(module, "ExportError");
  py::register_local_exception_translator(&translate);
}

}  // namespace polyrank
