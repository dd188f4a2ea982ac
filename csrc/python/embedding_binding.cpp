#include "embedding_binding.hpp"

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../src/parallel.hpp"
#include "number_array.hpp"
#include "polyrank/embedding_rows.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

using Floats = NumberArray<float>;
using Rows = NumberArray<std::int64_t>;

// Fewer are done before a second thread has started.
constexpr std::size_t kMinRowsOfThread = 32768;

void in_shares(std::size_t num_rows, std::size_t num_threads,
               const std::function<void(std::size_t begin, std::size_t count)>& share) {
  const std::size_t count = std::clamp<std::size_t>(num_rows / kMinRowsOfThread, 1, num_threads);
  in_parallel(count, [&](std::size_t index) {
    const std::size_t begin = num_rows * index / count;
    share(begin, num_rows * (index + 1) / count - begin);
  });
}

void check_threads(std::size_t num_threads) {
  if (num_threads == 0) {
    throw std::invalid_argument("threads must be 1 or above, got 0");
  }
}

void check_rows(const Rows& rows, const Floats& table) {
  const auto values = rows.values();
  const std::size_t at = first_out_of_range(values, table.size());
  if (at < values.size()) {
    rows.refuse("must be in [0, " + std::to_string(table.size()) + "), the rows of table, got " +
                std::to_string(values[at]) + " at position " + std::to_string(at));
  }
}

void check_width(const Floats& matrix) {
  if (matrix.width() == 0) {
    matrix.refuse("must have 1 or more columns, got 0");
  }
}

template <typename T, typename U>
void check_apart(const NumberArray<T>& written, const NumberArray<U>& other, const char* name) {
  const auto one = std::as_bytes(written.values());
  const auto two = std::as_bytes(other.values());
  const std::less<const std::byte*> before;
  if (before(one.data(), two.data() + two.size()) && before(two.data(), one.data() + one.size())) {
    written.refuse(std::string("must share no memory with ") + name);
  }
}

void gather(const py::object& given_table, const py::object& given_rows, const py::object& given_out,
            std::size_t num_threads) {
  const Floats table(given_table, "table", 2);
  const Rows rows(given_rows, "rows", 1);
  Floats out(given_out, "out", 2, true);
  check_threads(num_threads);
  check_width(table);
  out.check_size(rows.size(), "as rows has");
  out.check_width(table.width(), "as table has");
  check_apart(out, table, "table");
  check_apart(out, rows, "rows");
  check_rows(rows, table);
  float* const first = out.written();
  const py::gil_scoped_release unlocked;
  in_shares(rows.size(), num_threads, [&](std::size_t begin, std::size_t count) {
    gather_rows(table.values().data(), table.width(), rows.values().subspan(begin, count),
                first + begin * table.width());
  });
}

py::tuple coalesce(const py::object& given_rows, const py::object& given_values) {
  const Rows rows(given_rows, "rows", 1);
  const Floats values(given_values, "values", 2);
  check_width(values);
  values.check_size(rows.size(), "as rows has");
  if (rows.size() > kMaxCoalescedRows) {
    rows.refuse("must be fewer than 2**32 - 1, got " + std::to_string(rows.size()));
  }
  py::array_t<std::int64_t> unique(rows.size());
  py::array_t<float> sums({values.size(), values.width()});
  std::int64_t* const first_unique = unique.mutable_data();
  float* const first_sum = sums.mutable_data();
  std::size_t count = 0;
  {
    const py::gil_scoped_release unlocked;
    std::vector<std::uint64_t> slots(num_coalescing_slots(rows.size()));
    count = coalesce_rows(rows.values(), values.values().data(), values.width(), slots, first_unique, first_sum);
  }
  const py::slice kept(0, static_cast<py::ssize_t>(count), 1);
  return py::make_tuple(py::object(unique[kept]), py::object(sums[kept]));
}

void update(const py::object& given_table, const py::object& given_sums, const py::object& given_rows,
            const py::object& given_values, float lr, float epsilon, float scale, std::size_t num_threads) {
  Floats table(given_table, "table", 2, true);
  Floats sums(given_sums, "sums", 1, true);
  const Rows rows(given_rows, "rows", 1);
  const Floats values(given_values, "values", 2);
  check_threads(num_threads);
  check_width(table);
  sums.check_size(table.size(), "as table has");
  values.check_size(rows.size(), "as rows has");
  values.check_width(table.width(), "as table has");
  check_apart(table, sums, "sums");
  check_apart(table, rows, "rows");
  check_apart(table, values, "values");
  check_apart(sums, rows, "rows");
  check_apart(sums, values, "values");
  check_rows(rows, table);
  const AdagradTable state{.weights = table.written(), .sums = sums.written(), .dim = table.width()};
  const AdagradStep step{.lr = lr, .epsilon = epsilon, .scale = scale};
  const py::gil_scoped_release unlocked;
  in_shares(rows.size(), num_threads, [&](std::size_t begin, std::size_t count) {
    update_rowwise_adagrad(state, rows.values().subspan(begin, count), values.values().data() + begin * state.dim,
                           step);
  });
}

}  // namespace

void bind_embedding_rows(py::module_& module) {
  module.def("gather_rows", &gather, py::arg("table"), py::arg("rows"), py::arg("out"), py::arg("threads"),
             "Copies rows of an embedding table; see polyrank.embedding_rows.");
  module.def("coalesce_rows", &coalesce, py::arg("rows"), py::arg("values"),
             "(unique rows, sums of their values); see polyrank.embedding_rows.");
  module.def("update_rowwise_adagrad", &update, py::arg("table"), py::arg("sums"), py::arg("rows"), py::arg("values"),
             py::arg("lr"), py::arg("epsilon"), py::arg("scale"), py::arg("threads"),
             "One step on unique rows of an embedding table; see polyrank.embedding_rows.");
}

}  // namespace polyrank
