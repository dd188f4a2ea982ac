#include "matrices.hpp"

#include <cstdint>
#include <string>

#include "huge_memory.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

template <typename T>
py::array_t<T> new_matrix(std::size_t num_rows, std::size_t num_columns) {
  const py::array::ShapeContainer shape{static_cast<py::ssize_t>(num_rows), static_cast<py::ssize_t>(num_columns)};
  const std::size_t row_bytes = num_columns * sizeof(T);
  if (row_bytes == 0 || num_rows <= (kMinHugeBytes - 1) / row_bytes) {
    return py::array_t<T>(shape);
  }
  return array_over<T>(huge_memory(num_rows, row_bytes), shape,
                       "no memory for an array of " + std::to_string(num_rows) + " rows of " +
                           std::to_string(num_columns) + " columns; encode fewer rows at a time");
}

template <typename T>
py::array check_matrix(const py::handle& given, std::size_t num_rows, std::size_t num_columns, const std::string& name,
                       const char* dtype) {
  if (!py::isinstance<py::array_t<T>>(given)) {
    throw py::type_error(name + " must be a numpy array of " + dtype);
  }
  const auto array = py::reinterpret_borrow<py::array>(given);
  if (array.ndim() != 2 || array.shape(0) != static_cast<py::ssize_t>(num_rows) ||
      array.shape(1) != static_cast<py::ssize_t>(num_columns)) {
    throw py::value_error(name + " must have shape [" + std::to_string(num_rows) + ", " + std::to_string(num_columns) +
                          "], got " + py::cast<std::string>(py::str(py::list(array.attr("shape")))));
  }
  if ((array.flags() & py::array::c_style) == 0 || reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) != 0) {
    throw py::value_error(name + " must be contiguous and aligned, as numpy.empty makes it");
  }
  if (!array.writeable()) {
    throw py::value_error(name + " must be writable");
  }
  return array;
}

[[noreturn]] void refuse_argument(const std::string& message) {
  py::set_error(py::module_::import("polyrank.errors").attr("ConfigError"), message.c_str());
  throw py::error_already_set();
}

void check_apart(const py::array& one, const py::array& other, const char* names) {
  const auto* begin = static_cast<const std::byte*>(one.data());
  const auto* written = static_cast<const std::byte*>(other.data());
  if (written < begin + one.nbytes() && begin < written + other.nbytes()) {
    throw py::value_error(std::string(names) + " must not share memory; give each an array of its own");
  }
}

}  // namespace

OutputMatrices::OutputMatrices(const py::object& given, const Plan& plan, std::size_t num_rows)
    : ids_(py::reinterpret_steal<py::array>(nullptr)), dense_(py::reinterpret_steal<py::array>(nullptr)) {
  weights_ = py::none();
  if (given.is_none()) {
    ids_ = new_matrix<std::int64_t>(num_rows, plan.num_slots());
    dense_ = new_matrix<float>(num_rows, plan.num_dense());
    if (plan.num_weights() > 0) {
      weights_ = new_matrix<float>(num_rows, plan.num_weights());
    }
    return;
  }
  if (!(PyTuple_Check(given.ptr()) || PyList_Check(given.ptr())) || py::len(given) != 3) {
    refuse_argument("out must be three arrays, (ids, weights, dense), got " +
                    std::string(Py_TYPE(given.ptr())->tp_name));
  }
  const auto arrays = py::tuple(given);
  ids_ = check_matrix<std::int64_t>(arrays[0], num_rows, plan.num_slots(), "out.ids", "int64");
  dense_ = check_matrix<float>(arrays[2], num_rows, plan.num_dense(), "out.dense", "float32");
  if (plan.num_weights() > 0) {
    weights_ = check_matrix<float>(arrays[1], num_rows, plan.num_weights(), "out.weights", "float32");
  }
  check_apart(ids_, dense_, "out.ids and out.dense");
  if (!weights_.is_none()) {
    check_apart(ids_, weights_, "out.ids and out.weights");
    check_apart(dense_, weights_, "out.dense and out.weights");
  }
}

Matrices OutputMatrices::pointers() noexcept {
  const auto start = [](const py::object& array) {
    return array.is_none() ? nullptr : py::detail::array_proxy(array.ptr())->data;
  };
  return {.ids = reinterpret_cast<std::int64_t*>(start(ids_)),
          .weights = reinterpret_cast<float*>(start(weights_)),
          .dense = reinterpret_cast<float*>(start(dense_))};
}

}  // namespace polyrank
