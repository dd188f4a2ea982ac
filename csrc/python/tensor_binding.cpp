#include "tensor_binding.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "owned.hpp"
#include "polyrank/tensor_table.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

using Described = std::tuple<std::string, std::string, std::string, std::size_t, std::optional<std::size_t>>;

TensorType type_of(const std::string& name) {
  if (name == "BYTES") {
    return TensorType::kBytes;
  }
  if (name == "INT64") {
    return TensorType::kInt64;
  }
  if (name == "FP32") {
    return TensorType::kFloat;
  }
  throw py::value_error("type must be BYTES, INT64 or FP32, got " + name);
}

bool is_of_type(const py::array& tensor, TensorType type) {
  switch (type) {
    case TensorType::kBytes:
      return tensor.itemsize() == 1 && py::hasattr(tensor, "texts_shape");
    case TensorType::kInt64:
      return py::isinstance<py::array_t<std::int64_t>>(tensor);
    case TensorType::kFloat:
      return py::isinstance<py::array_t<float>>(tensor);
  }
  return false;
}

void check_type(const TensorColumn& column, const py::array& tensor) {
  if (is_of_type(tensor, column.type)) {
    return;
  }
  const char* expected = column.type == TensorType::kBytes   ? "objects of type bytes"
                         : column.type == TensorType::kInt64 ? "int64"
                                                             : "float32";
  const bool is_texts = py::hasattr(tensor, "texts_shape");
  const auto found = is_texts ? std::string("texts") : py::cast<std::string>(py::str(tensor.dtype()));
  throw std::invalid_argument("tensor '" + column.name + "' must be " + expected + ", got " + found);
}

TensorRows rows_of(const std::string& name) {
  if (name == "value") {
    return TensorRows::kValues;
  }
  if (name == "list") {
    return TensorRows::kLists;
  }
  if (name == "vector") {
    return TensorRows::kVectors;
  }
  throw py::value_error("rows must be value, list or vector, got " + name);
}

template <typename Struct>
py::capsule capsule_of(std::unique_ptr<Owned<Struct>> owned, const char* name) {
  return py::capsule(owned.release(), name, [](PyObject* capsule) {
    delete static_cast<Owned<Struct>*>(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)));
  });
}

// Tensors of an inference server as an Arrow record batch, made when it is asked for. Keeps the tensors.
class TensorTable {
 public:
  TensorTable(std::vector<TensorColumn> columns, std::size_t num_rows, std::vector<py::array> tensors)
      : columns_(std::move(columns)), num_rows_(num_rows), tensors_(std::move(tensors)) {}

  [[nodiscard]] py::tuple export_batch(const py::object& /*requested_schema*/) const {
    auto schema = std::make_unique<Owned<ArrowSchema>>();
    auto array = std::make_unique<Owned<ArrowArray>>();
    export_tensors(columns_, num_rows_, schema->content, array->content);
    return py::make_tuple(capsule_of(std::move(schema), "arrow_schema"), capsule_of(std::move(array), "arrow_array"));
  }

 private:
  std::vector<TensorColumn> columns_;
  std::size_t num_rows_;
  std::vector<py::array> tensors_;
};

// The columns that tensors become.
class TensorLayout {
 public:
  explicit TensorLayout(const std::vector<Described>& columns) {
    for (const auto& [name, type, rows, width, weighed] : columns) {
      if (weighed && !is_plain_list(columns, *weighed)) {
        throw py::value_error("weighed must be the index of a list that weighs none, in [0, " +
                              std::to_string(columns.size()) + "), got " + std::to_string(*weighed));
      }
      places_.emplace(name, columns_.size());
      columns_.push_back({name, type_of(type), rows_of(rows), width, std::nullopt, weighed});
    }
  }

  [[nodiscard]] TensorTable table(const py::dict& tensors) const {
    std::vector<TensorColumn> columns = columns_;
    std::vector<py::array> kept;
    py::ssize_t num_rows = 0;
    for (const auto& [name, given] : tensors) {
      auto tensor = py::reinterpret_borrow<py::array>(given);
      TensorColumn& column = column_of(name, columns);
      check_type(column, tensor);
      const std::vector<py::ssize_t> shape = shape_of(tensor);
      num_rows = kept.empty() && !shape.empty() ? shape[0] : num_rows;
      check_shape(column, shape, num_rows);
      column.width = static_cast<std::size_t>(shape[1]);
      column.content = content_of(column, tensor);
      kept.push_back(std::move(tensor));
    }
    return {std::move(columns), static_cast<std::size_t>(num_rows), std::move(kept)};
  }

 private:
  static bool is_plain_list(const std::vector<Described>& columns, std::size_t index) {
    return index < columns.size() && std::get<2>(columns[index]) == "list" && !std::get<4>(columns[index]);
  }

  TensorColumn& column_of(const py::handle& name, std::vector<TensorColumn>& columns) const {
    const auto found = places_.find(py::cast<std::string>(name));
    if (found == places_.end()) {
      throw std::invalid_argument("tensor '" + py::cast<std::string>(name) + "' is of no feature");
    }
    return columns[found->second];
  }

  // Of texts that lie one behind the other that which they had as a tensor.
  static std::vector<py::ssize_t> shape_of(const py::array& tensor) {
    if (tensor.itemsize() == 1) {
      return py::cast<std::vector<py::ssize_t>>(tensor.attr("texts_shape"));
    }
    return {tensor.shape(), tensor.shape() + tensor.ndim()};
  }

  static void check_shape(const TensorColumn& column, const std::vector<py::ssize_t>& shape, py::ssize_t num_rows) {
    const bool is_list = column.rows == TensorRows::kLists;
    if (shape.size() == 2 && num_rows >= 0 && shape[0] == num_rows &&
        (is_list ? shape[1] >= 0 : shape[1] == static_cast<py::ssize_t>(column.width))) {
      return;
    }
    std::string message = "tensor '" + column.name + "' must have shape [";
    message.append(num_rows < 0 ? "any" : std::to_string(num_rows)).append(", ");
    message.append(is_list ? "any" : std::to_string(column.width)).append("], got [");
    for (std::size_t index = 0; index < shape.size(); ++index) {
      message.append(index == 0 ? "" : ", ").append(std::to_string(shape[index]));
    }
    throw std::invalid_argument(message.append("]"));
  }

  static std::span<const std::byte> content_of(const TensorColumn& column, const py::array& tensor) {
    if ((tensor.flags() & py::array::c_style) == 0) {
      throw std::invalid_argument("tensor '" + column.name +
                                  "' must be contiguous (copy it with numpy.ascontiguousarray)");
    }
    return {static_cast<const std::byte*>(tensor.data()), static_cast<std::size_t>(tensor.nbytes())};
  }

  std::vector<TensorColumn> columns_;
  std::unordered_map<std::string, std::size_t> places_;
};

}  // namespace

void bind_tensors(py::module_& module) {
  const auto plain = py::metaclass(reinterpret_cast<PyObject*>(&PyType_Type));
  py::class_<TensorTable>(module, "TensorTable", plain, "Rows that came as tensors: a table of Arrow's.")
      .def("__arrow_c_array__", &TensorTable::export_batch, py::arg("requested_schema") = py::none(),
           "A record batch. Raises ArrayError for a tensor that does not hold its elements.");
  py::class_<TensorLayout>(module, "TensorLayout", plain, "The columns that tensors become; see polyrank.raw_inputs.")
      .def(py::init<const std::vector<Described>&>(), py::arg("columns"),
           "`columns` are (name, BYTES | INT64 | FP32, value | list | vector, elements of a row, index of the list "
           "that weights weigh).")
      .def("table", &TensorLayout::table, py::arg("tensors"),
           "The table of tensors by name. Raises ArrayError for one of no column, or of another type or shape.");
}

}  // namespace polyrank
