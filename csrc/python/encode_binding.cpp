#include "encode_binding.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dict_rows.hpp"
#include "matrices.hpp"
#include "missing_argument.hpp"
#include "polyrank/encode.hpp"
#include "table_input.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

Field field_of(const py::handle& described) {
  const auto [name, dtype, missing, seed] =
      py::cast<std::tuple<std::string, std::string, py::object, std::uint64_t>>(described);
  if (dtype != "text" && dtype != "int64") {
    throw py::value_error("dtype must be text or int64, got " + dtype);
  }
  return {
      .name = name,
      .reading = {
          .dtype = dtype == "text" ? Dtype::kText : Dtype::kInt64, .seed = seed, .missing = missing_tokens(missing)}};
}

std::vector<std::size_t> sizes_of(const py::handle& described) {
  auto sizes = py::cast<std::vector<std::size_t>>(described);
  for (const std::size_t size : sizes) {
    if (size == 0) {
      throw py::value_error("sizes of n-grams must be 1 or above, got 0");
    }
  }
  return sizes;
}

// A group as Python describes it: its kind, then what the struct of that kind holds.
Group group_of(const py::handle& described) {
  const auto parts = py::cast<py::tuple>(described);
  const auto kind = py::cast<std::string>(parts[0]);
  if (kind == "categorical") {
    return CategoricalGroup{field_of(parts[1])};
  }
  if (kind == "bag") {
    return BagGroup{field_of(parts[1]), py::cast<std::size_t>(parts[2]), py::cast<std::string>(parts[3])};
  }
  if (kind == "cross") {
    CrossGroup cross;
    for (const py::handle part : py::cast<py::sequence>(parts[1])) {
      cross.parts.push_back(field_of(part));
    }
    if (cross.parts.empty()) {
      throw py::value_error("a cross needs at least one part, got none");
    }
    return cross;
  }
  if (kind == "ngrams") {
    return NGramGroup{field_of(parts[1]), sizes_of(parts[2]), py::cast<std::size_t>(parts[3])};
  }
  if (kind == "number") {
    return NumberGroup{py::cast<std::string>(parts[1]), py::cast<bool>(parts[2])};
  }
  if (kind == "vector") {
    return VectorGroup{py::cast<std::string>(parts[1]), py::cast<std::size_t>(parts[2])};
  }
  throw py::value_error("kind must be categorical, bag, cross, ngrams, number or vector, got " + kind);
}

// A plan with its way into Python.
class TablePlan {
 public:
  explicit TablePlan(const py::sequence& groups) : plan_(groups_of(groups)), dicts_(plan_) {}

  [[nodiscard]] py::object encode_table(const py::object& rows, std::size_t num_threads, const py::object& out,
                                        bool is_whole) const {
    TableInput input(rows);
    std::optional<OpenTable> table;
    try {
      {
        const py::gil_scoped_release unlocked;
        input.read();
        table.emplace(plan_, input.schema(), input.chunks(), is_whole, num_threads);
      }
      if (!table->is_table() || table->size() == 0) {
        return py::none();
      }
      OutputMatrices matrices(out, plan_, table->size());
      if (!out.is_none() && table->shares_memory(matrices.pointers())) {
        matrices = OutputMatrices(py::none(), plan_, table->size());
      }
      const Matrices pointers = matrices.pointers();
      {
        const py::gil_scoped_release unlocked;
        table->encode(pointers, num_threads);
      }
      return py::make_tuple(matrices.ids(), matrices.weights(), matrices.dense(), table->unread());
    } catch (const GroupRefusal& refusal) {
      return py::int_(refusal.group());
    }
  }

  [[nodiscard]] py::object encode_dicts(const py::object& rows, const py::object& out) {
    if (!(PyList_Check(rows.ptr()) || PyTuple_Check(rows.ptr())) || PySequence_Fast_GET_SIZE(rows.ptr()) == 0) {
      return py::none();
    }
    const auto num_rows = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(rows.ptr()));
    OutputMatrices matrices(out, plan_, num_rows);  // runs Python code, which may change the list
    if (!dicts_.encode(rows, num_rows, matrices.pointers())) {
      return py::none();
    }
    return py::make_tuple(matrices.ids(), matrices.weights(), matrices.dense());
  }

  [[nodiscard]] py::tuple matrices(std::size_t num_rows, const py::object& out) const {
    const OutputMatrices matrices(out, plan_, num_rows);
    return py::make_tuple(matrices.ids(), matrices.weights(), matrices.dense());
  }

  [[nodiscard]] py::tuple slots(std::size_t group) const {
    const PlacedGroup& placed = plan_.groups().at(group);
    return py::make_tuple(placed.slot, placed.slot + placed.num_slots + placed.num_dense);
  }

  [[nodiscard]] std::size_t first_weight(std::size_t group) const { return plan_.groups().at(group).weight; }

 private:
  static std::vector<Group> groups_of(const py::sequence& described) {
    std::vector<Group> groups;
    for (const py::handle group : described) {
      groups.push_back(group_of(group));
    }
    return groups;
  }

  Plan plan_;
  DictEncoder dicts_;
};

}  // namespace

void bind_encode(py::module_& module) {
  // The plain metaclass, since pybind11's own has no name that a stub could say.
  py::class_<TablePlan>(module, "TablePlan", py::metaclass(reinterpret_cast<PyObject*>(&PyType_Type)),
                        "Slot groups that tables are encoded into; see polyrank.table.")
      .def(py::init<const py::sequence&>(), py::arg("groups"))
      .def("encode_table", &TablePlan::encode_table, py::arg("rows"), py::arg("threads"), py::arg("out") = py::none(),
           py::arg("whole") = true,
           "(ids, weights, dense, groups left unread), in new arrays where `out` shares memory with the columns; the "
           "number of the group that refuses a value; None for a table "
           "without rows, without all columns or with one of them twice.")
      .def("encode_dicts", &TablePlan::encode_dicts, py::arg("rows"), py::arg("out") = py::none(),
           "(ids, weights, dense); None for rows that are to be read in the slower way.")
      .def("matrices", &TablePlan::matrices, py::arg("rows"), py::arg("out") = py::none(),
           "(ids, weights, dense) for this many rows: `out`, or new ones.")
      .def("slots", &TablePlan::slots, py::arg("group"),
           "Where a group lies: its columns of `ids`, or of `dense`, as (start, stop).")
      .def("first_weight", &TablePlan::first_weight, py::arg("group"), "The first column of `weights` of a bag.");
}

}  // namespace polyrank
