#include "matrices.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

namespace polyrank {
namespace {

namespace py = pybind11;

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kLargeBytes = 2 * kHugePage;
constexpr std::size_t kMaxBytes = std::numeric_limits<std::size_t>::max() / 2;

// Touching fresh pages of 4 KB costs more than hashing what goes into them, so large arrays ask for huge ones.
void* new_memory(std::size_t num_bytes) noexcept {
  const std::size_t rounded = (num_bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, rounded);
#ifdef MADV_HUGEPAGE
  madvise(memory, rounded, MADV_HUGEPAGE);  // advice: where it is not taken, small pages do
#endif
  return memory;
}

template <typename T>
py::array_t<T> new_matrix(std::size_t num_rows, std::size_t num_columns) {
  const py::array::ShapeContainer shape{static_cast<py::ssize_t>(num_rows), static_cast<py::ssize_t>(num_columns)};
  const bool is_countable = num_columns == 0 || num_rows <= kMaxBytes / sizeof(T) / num_columns;
  if (is_countable && num_rows * num_columns * sizeof(T) < kLargeBytes) {
    return py::array_t<T>(shape);
  }
  void* memory = is_countable ? new_memory(num_rows * num_columns * sizeof(T)) : nullptr;
  if (memory == nullptr) {
    const std::string of = std::to_string(num_rows) + " rows of " + std::to_string(num_columns) + " columns";
    py::set_error(PyExc_MemoryError, ("no memory for an array of " + of + "; encode fewer rows at a time").c_str());
    throw py::error_already_set();
  }
  const py::capsule owner(memory, [](void* owned) { std::free(owned); });
  return py::array_t<T>(shape, static_cast<T*>(memory), owner);
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
                          "]");
  }
  if ((array.flags() & py::array::c_style) == 0 || reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) != 0) {
    throw py::value_error(name + " must be contiguous and aligned");
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
