#include "rows.hpp"

#include <pybind11/numpy.h>

#include <string>

#include "arrow_rows.hpp"
#include "item_rows.hpp"
#include "numpy_rows.hpp"

namespace polyrank {

namespace py = pybind11;

namespace {

constexpr const char* kTakenRows = "polyrank.rows";

void forget(void* rows) { delete static_cast<std::shared_ptr<Rows>*>(rows); }

}  // namespace

std::shared_ptr<Rows> take_rows(const py::object& values) {
  if (PyList_Check(values.ptr()) != 0 || PyTuple_Check(values.ptr()) != 0) {
    return std::make_shared<ItemRows>(values);
  }
  if (py::isinstance<py::array>(values)) {
    return numpy_rows(py::reinterpret_borrow<py::array>(values));
  }
  if (py::hasattr(values, "__arrow_c_array__")) {
    return ArrowRows::of_array(values);
  }
  if (py::hasattr(values, "__arrow_c_stream__")) {
    return ArrowRows::of_stream(values);
  }
  if (PyCapsule_IsValid(values.ptr(), kTakenRows) != 0) {
    return *static_cast<std::shared_ptr<Rows>*>(PyCapsule_GetPointer(values.ptr(), kTakenRows));
  }
  throw py::type_error(std::string("values must be a list, a numpy array or an Arrow array, got ") +
                       Py_TYPE(values.ptr())->tp_name);
}

py::tuple as_taken(const py::object& values) {
  auto rows = std::make_unique<std::shared_ptr<Rows>>(take_rows(values));
  const std::size_t size = (*rows)->size();
  return py::make_tuple(py::capsule(rows.release(), kTakenRows, &forget), size);
}

}  // namespace polyrank
