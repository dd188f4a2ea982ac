#include "embedding_binding.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "../src/parallel.hpp"
#include "number_array.hpp"
#include "polyrank/bucket_rows.hpp"
#include "polyrank/embedding_rows.hpp"
#include "polyrank/pooled_rows.hpp"
#include "thread_count.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

using Floats = NumberArray<float>;
using RowArray = NumberArray<std::int64_t>;

// Fewer are done before a second thread has started.
constexpr std::size_t kMinRowsOfThread = 32768;

/// Shares rows among threads; each stands for `size` rows of a table.
void in_shares(std::size_t num_rows, std::size_t num_threads,
               const std::function<void(std::size_t begin, std::size_t count)>& share, std::size_t size = 1) {
  const std::size_t count = std::clamp<std::size_t>(num_rows * size / kMinRowsOfThread, 1, num_threads);
  in_parallel(count, [&](std::size_t index) {
    const std::size_t begin = num_rows * index / count;
    share(begin, num_rows * (index + 1) / count - begin);
  });
}

void check_rows(const RowArray& rows, const Floats& table) {
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
  const RowArray rows(given_rows, "rows", 1);
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

Pooling pooling_of(const std::string& name) {
  if (name == "sum") {
    return Pooling::kSum;
  }
  if (name == "mean" || name == "sqrtn") {
    return name == "mean" ? Pooling::kMean : Pooling::kSqrtn;
  }
  throw std::invalid_argument("pools must be of \"sum\", \"mean\" or \"sqrtn\", got \"" + name + "\"");
}

/// First column, how many, pooling, and the first column of their weights, if they have such.
using GivenPool = std::tuple<std::size_t, std::size_t, std::string, std::optional<std::size_t>>;

std::vector<PooledColumns> pools_of(const std::vector<GivenPool>& given, std::size_t num_columns,
                                    std::size_t num_weights) {
  const auto check_end = [](std::size_t first, std::size_t count, std::size_t width, const char* of) {
    if (count > width || first > width - count) {
      throw std::invalid_argument("pools must end at " + std::to_string(width) + ", the columns of " + of + ", got " +
                                  std::to_string(count) + " from " + std::to_string(first));
    }
  };
  std::vector<PooledColumns> pools;
  for (const auto& [first, count, pooling, first_weight] : given) {
    check_end(first, count, num_columns, "ids");
    if (first_weight.has_value()) {
      check_end(*first_weight, count, num_weights, "weights");
    }
    const std::ptrdiff_t place = first_weight.has_value() ? static_cast<std::ptrdiff_t>(*first_weight) : -1;
    pools.push_back({.first = first, .count = count, .pooling = pooling_of(pooling), .first_weight = place});
  }
  return pools;
}

std::vector<BucketColumn> columns_of(const py::object& given_buckets, const py::object& given_starts,
                                     const py::object& given_lasts, std::size_t num_columns) {
  const RowArray buckets(given_buckets, "num_buckets", 1);
  const RowArray starts(given_starts, "starts", 1);
  const RowArray lasts(given_lasts, "lasts", 1);
  std::vector<BucketColumn> columns(num_columns);
  for (const RowArray* each : {&buckets, &starts, &lasts}) {
    each->check_size(num_columns, "as ids has columns");
  }
  for (std::size_t i = 0; i < num_columns; ++i) {
    columns[i] = {.num_buckets = buckets.values()[i], .start = starts.values()[i], .last = lasts.values()[i]};
    if (columns[i].num_buckets < 1) {
      buckets.refuse("must be 1 or above, got " + std::to_string(columns[i].num_buckets));
    }
    if (columns[i].start < 0 || columns[i].start > std::numeric_limits<std::int64_t>::max() - columns[i].num_buckets) {
      starts.refuse("must be 0 or above, and the rows after them below 2**63, got " + std::to_string(columns[i].start));
    }
  }
  return columns;
}

py::tuple find_rows(const py::object& given_ids, const py::object& given_buckets, const py::object& given_starts,
                    const py::object& given_lasts, const std::vector<GivenPool>& given_pools,
                    const py::object& given_weights, std::size_t num_threads) {
  const RowArray ids(given_ids, "ids", 2);
  const auto columns = columns_of(given_buckets, given_starts, given_lasts, ids.width());
  std::optional<Floats> weights;
  if (!given_weights.is_none()) {
    weights.emplace(given_weights, "weights", 2);
    weights->check_size(ids.size(), "as ids has");
  }
  const std::size_t num_weights = weights.has_value() ? weights->width() : 0;
  const auto pools = pools_of(given_pools, ids.width(), num_weights);
  check_threads(num_threads);
  py::array_t<std::int64_t> rows({ids.size(), ids.width()});
  std::int64_t* const found = rows.mutable_data();
  std::optional<py::array_t<float>> factors;
  float* first_factor = nullptr;
  if (!pools.empty()) {
    factors.emplace(py::array::ShapeContainer{ids.size(), ids.width()});
    first_factor = factors->mutable_data();
  }
  const float* const first_weight = weights.has_value() ? weights->values().data() : nullptr;
  {
    const py::gil_scoped_release unlocked;
    const std::size_t width = columns.size();
    const auto work = [&](std::size_t begin, std::size_t count) {
      bucket_rows(ids.values().subspan(begin * width, count * width), columns, found + begin * width);
      if (first_factor != nullptr) {
        const float* const own_weights = first_weight == nullptr ? nullptr : first_weight + begin * num_weights;
        pooling_factors({found + begin * width, count * width}, columns, pools, own_weights, num_weights,
                        first_factor + begin * width);
      }
    };
    in_shares(ids.size(), num_threads, work, width);
  }
  return py::make_tuple(rows, factors);
}

/// Arrays that say which rows of a table the vectors of a batch add up, checked.
class PooledBatch {
 public:
  PooledBatch(const py::object& rows, const py::object& factors, const std::vector<std::uint32_t>& widths)
      : rows_(rows, "rows", 2), widths_(widths) {
    if (std::ranges::find(widths_, 0U) != widths_.end()) {
      throw std::invalid_argument("widths must be 1 or above, got 0");
    }
    rows_.check_width(batch().num_columns(), "as widths add up to");
    if (!factors.is_none()) {
      factors_.emplace_back(factors, "factors", 2);
      factors_[0].check_size(rows_.size(), "as rows has");
      factors_[0].check_width(rows_.width(), "as rows has");
    }
  }

  [[nodiscard]] const RowArray& rows() const noexcept { return rows_; }
  [[nodiscard]] const Floats* factors() const noexcept { return factors_.empty() ? nullptr : factors_.data(); }
  [[nodiscard]] std::size_t num_vectors() const noexcept { return widths_.size(); }
  [[nodiscard]] PooledRows batch() const { return batch(0, rows_.size()); }
  [[nodiscard]] PooledRows batch(std::size_t begin, std::size_t count) const {
    const std::size_t first = begin * rows_.width();
    const float* factors = factors_.empty() ? nullptr : factors_[0].values().data() + first;
    return {.rows = rows_.values().subspan(first, count * rows_.width()), .factors = factors, .widths = widths_};
  }

 private:
  RowArray rows_;
  std::vector<Floats> factors_;  // one, or none
  const std::vector<std::uint32_t>& widths_;
};

void pool(const py::object& given_table, const py::object& given_rows, const py::object& given_factors,
          const std::vector<std::uint32_t>& widths, const py::object& given_out, std::size_t num_threads) {
  const Floats table(given_table, "table", 2);
  const PooledBatch pooling(given_rows, given_factors, widths);
  Floats out(given_out, "out", 2, true);
  check_threads(num_threads);
  check_width(table);
  out.check_size(pooling.rows().size(), "as rows has");
  out.check_width(widths.size() * table.width(), "those of table for each of widths");
  check_apart(out, table, "table");
  check_apart(out, pooling.rows(), "rows");
  if (const Floats* factors = pooling.factors(); factors != nullptr) {
    check_apart(out, *factors, "factors");
  }
  check_rows(pooling.rows(), table);
  float* const first = out.written();
  const std::size_t num_columns = pooling.rows().width();
  const py::gil_scoped_release unlocked;
  in_shares(
      pooling.rows().size(), num_threads,
      [&](std::size_t begin, std::size_t count) {
        pool_rows(table.values().data(), table.width(), pooling.batch(begin, count), first + begin * out.width());
      },
      num_columns);
}

py::tuple spread(const py::object& given_gradients, const py::object& given_rows, const py::object& given_factors,
                 const std::vector<std::uint32_t>& widths) {
  const Floats gradients(given_gradients, "gradients", 2);
  const PooledBatch pooling(given_rows, given_factors, widths);
  gradients.check_size(pooling.rows().size(), "as rows has");
  if (widths.empty() || gradients.width() == 0 || gradients.width() % widths.size() != 0) {
    gradients.refuse("must have as many columns for each of " + std::to_string(widths.size()) + " widths, got " +
                     std::to_string(gradients.width()));
  }
  const std::size_t dim = gradients.width() / widths.size();
  const std::size_t most = pooling.batch().rows.size();
  py::array_t<std::int64_t> rows(most);
  py::array_t<float> values({most, dim});
  std::int64_t* const first_row = rows.mutable_data();
  float* const first_value = values.mutable_data();
  std::size_t count = 0;
  {
    const py::gil_scoped_release unlocked;
    count = spread_rows(gradients.values().data(), dim, pooling.batch(), first_row, first_value);
  }
  const py::slice kept(0, static_cast<py::ssize_t>(count), 1);
  return py::make_tuple(py::object(rows[kept]), py::object(values[kept]));
}

py::tuple coalesce(const py::object& given_rows, const py::object& given_values) {
  const RowArray rows(given_rows, "rows", 1);
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
  const RowArray rows(given_rows, "rows", 1);
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
  module.def("find_rows", &find_rows, py::arg("ids"), py::arg("num_buckets"), py::arg("starts"), py::arg("lasts"),
             py::arg("pools"), py::arg("weights"), py::arg("threads"),
             "(rows, their factors) of ids; see polyrank.embedding_rows.");
  module.def("gather_rows", &gather, py::arg("table"), py::arg("rows"), py::arg("out"), py::arg("threads"),
             "Copies rows of an embedding table; see polyrank.embedding_rows.");
  module.def("pool_rows", &pool, py::arg("table"), py::arg("rows"), py::arg("factors"), py::arg("widths"),
             py::arg("out"), py::arg("threads"), "Adds up rows of an embedding table; see polyrank.embedding_rows.");
  module.def("spread_rows", &spread, py::arg("gradients"), py::arg("rows"), py::arg("factors"), py::arg("widths"),
             "(rows, their gradients) of pool_rows; see polyrank.embedding_rows.");
  module.def("coalesce_rows", &coalesce, py::arg("rows"), py::arg("values"),
             "(unique rows, sums of their values); see polyrank.embedding_rows.");
  module.def("update_rowwise_adagrad", &update, py::arg("table"), py::arg("sums"), py::arg("rows"), py::arg("values"),
             py::arg("lr"), py::arg("epsilon"), py::arg("scale"), py::arg("threads"),
             "One step on unique rows of an embedding table; see polyrank.embedding_rows.");
}

}  // namespace polyrank
