#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <unordered_map>
#include <vector>

#include "draws.hpp"
#include "polyrank/embedding_rows.hpp"
#include "polyrank/pooled_rows.hpp"

// libFuzzer target: lookups, sums and updates of embedding tables of any shape equal those of plain loops, bit for bit,
// and touch nothing outside.
namespace polyrank {
namespace {

constexpr std::size_t kMaxRows = 300;
constexpr std::size_t kMaxDim = 70;  // past the widest loop of its own

using Rows = std::vector<std::int64_t>;
using Floats = std::vector<float>;

void check(bool is_right, const char* what, std::size_t dim, std::size_t at) {
  if (!is_right) {
    std::fprintf(stderr, "%s is wrong: width %zu, row %zu\n", what, dim, at);
    std::abort();
  }
}

void expect_equal(const char* what, std::size_t dim, std::span<const float> found, std::span<const float> expected) {
  check(found.size() == expected.size(), what, dim, found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    check(std::bit_cast<std::uint32_t>(found[i]) == std::bit_cast<std::uint32_t>(expected[i]), what, dim, i / dim);
  }
}

Floats draw_floats(Draws& draws, std::size_t count) {
  Floats floats(count);
  for (float& number : floats) {
    number = static_cast<float>(static_cast<double>(draws.in_range(0, 1 << 20)) / 4096 - 128);
  }
  return floats;
}

// Some rows come often, some lie anywhere.
Rows draw_rows(Draws& draws, std::size_t count, std::uint64_t limit) {
  Rows rows(count);
  for (std::int64_t& row : rows) {
    row = static_cast<std::int64_t>(draws.in_range(0, draws.in_range(0, 1) == 0 ? limit : limit >> 4));
  }
  return rows;
}

struct Sums {
  Rows unique;
  Floats values;
};

Sums expected_sums(const Rows& rows, const Floats& values, std::size_t dim) {
  Sums sums;
  std::unordered_map<std::int64_t, std::size_t> places;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [place, is_new] = places.emplace(rows[i], sums.unique.size());
    if (is_new) {
      sums.unique.push_back(rows[i]);
    }
    for (std::size_t j = 0; j < dim; ++j) {
      const float value = values[i * dim + j];
      if (is_new) {
        sums.values.push_back(value);
      } else {
        sums.values[place->second * dim + j] += value;
      }
    }
  }
  return sums;
}

void check_coalesce(const Rows& rows, const Floats& values, std::size_t dim) {
  const Sums expected = expected_sums(rows, values, dim);
  const Exact<std::int64_t> given{std::span(rows)};
  const Exact<float> added{std::span(values)};
  std::vector<std::uint64_t> slots(num_coalescing_slots(rows.size()));
  const Exact<std::int64_t> unique{std::span(rows)};
  const Exact<float> sums{std::span(values)};
  const std::size_t count =
      coalesce_rows(given.span(), added.span().data(), dim, slots, unique.span().data(), sums.span().data());
  check(count == expected.unique.size(), "number of unique rows", dim, count);
  check(std::ranges::equal(unique.span().first(count), expected.unique), "unique rows", dim, count);
  expect_equal("sum", dim, sums.span().first(count * dim), expected.values);
}

void check_gather(const Rows& rows, const Floats& table, std::size_t dim) {
  Floats expected;
  for (const std::int64_t row : rows) {
    const auto first = table.begin() + row * static_cast<std::int64_t>(dim);
    expected.insert(expected.end(), first, first + static_cast<std::int64_t>(dim));
  }
  const Exact<float> exact{std::span(table)};
  const Exact<float> out(std::span<const float>(Floats(expected.size())));
  gather_rows(exact.span().data(), dim, rows, out.span().data());
  expect_equal("lookup", dim, out.span(), expected);
}

// Of 0, 1 and others, or none.
Floats draw_factors(Draws& draws, std::size_t count) {
  Floats factors(draws.in_range(0, 3) == 0 ? 0 : count);
  for (float& factor : factors) {
    factor = static_cast<float>(draws.in_range(0, 3)) / 2;
  }
  return factors;
}

std::vector<std::uint32_t> draw_widths(Draws& draws) {
  std::vector<std::uint32_t> widths(draws.in_range(1, 4));
  for (std::uint32_t& width : widths) {
    width = static_cast<std::uint32_t>(draws.in_range(1, 5));
  }
  return widths;
}

void check_pooling(Rows rows, const Floats& table, std::size_t dim, Draws& draws) {
  const std::vector<std::uint32_t> widths = draw_widths(draws);
  PooledRows batch{.rows = {}, .factors = nullptr, .widths = widths};
  const std::size_t num_columns = batch.num_columns();
  rows.resize(rows.size() / num_columns * num_columns);
  const Floats drawn = draw_factors(draws, rows.size());
  const Exact<std::int64_t> exact_rows{std::span<const std::int64_t>(rows)};
  const Exact<float> factors{std::span<const float>(drawn)};
  batch.rows = exact_rows.span();
  batch.factors = drawn.empty() ? nullptr : factors.span().data();
  const std::size_t num_vectors = rows.size() / num_columns * widths.size();
  const Floats gradients = draw_floats(draws, num_vectors * dim);
  Floats expected(num_vectors * dim);
  Rows expected_rows;
  Floats expected_values;
  std::size_t at = 0;
  for (std::size_t vector = 0; vector < num_vectors; ++vector) {
    bool is_first = true;
    for (std::uint32_t i = 0; i < widths[vector % widths.size()]; ++i, ++at) {
      const float factor = drawn.empty() ? 1.0F : drawn[at];
      if (factor == 0.0F) {
        is_first = false;  // the sum begins with 0
        continue;
      }
      expected_rows.push_back(rows[at]);
      for (std::size_t j = 0; j < dim; ++j) {
        float& sum = expected[vector * dim + j];
        const float term = factor * table[static_cast<std::size_t>(rows[at]) * dim + j];
        sum = is_first ? term : sum + term;
        expected_values.push_back(factor * gradients[vector * dim + j]);
      }
      is_first = false;
    }
  }
  const Exact<float> exact_table{std::span<const float>(table)};
  const Exact<float> out{std::span<const float>(Floats(expected.size()))};
  pool_rows(exact_table.span().data(), dim, batch, out.span().data());
  expect_equal("pooled vector", dim, out.span(), expected);
  const Exact<float> exact_gradients{std::span<const float>(gradients)};
  const Exact<std::int64_t> found_rows{std::span<const std::int64_t>(rows)};
  const Exact<float> values{std::span<const float>(Floats(rows.size() * dim))};
  const std::size_t count =
      spread_rows(exact_gradients.span().data(), dim, batch, found_rows.span().data(), values.span().data());
  check(std::ranges::equal(found_rows.span().first(count), expected_rows), "row of a gradient", dim, count);
  expect_equal("gradient of a row", dim, values.span().first(count * dim), expected_values);
}

float mean_square(std::span<const float> gradient) {
  float partial[8]{};
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    partial[i % 8] += gradient[i] * gradient[i];
  }
  const float even = (partial[0] + partial[4]) + (partial[2] + partial[6]);
  const float odd = (partial[1] + partial[5]) + (partial[3] + partial[7]);
  return (even + odd) / static_cast<float>(gradient.size());
}

void check_update(const Sums& step, Floats table, Floats sums, std::size_t dim, float scale) {
  const Exact<float> found{std::span<const float>(table)};
  const Exact<float> found_sums{std::span<const float>(sums)};
  constexpr float kLr = 0.125F;
  constexpr float kEpsilon = 1e-8F;
  for (std::size_t i = 0; i < step.unique.size(); ++i) {
    Floats gradient(dim);
    for (std::size_t j = 0; j < dim; ++j) {
      gradient[j] = scale * step.values[i * dim + j];
    }
    const auto row = static_cast<std::size_t>(step.unique[i]);
    sums[row] += mean_square(gradient);
    for (std::size_t j = 0; j < dim; ++j) {
      table[row * dim + j] -= kLr / (std::sqrt(sums[row]) + kEpsilon) * gradient[j];
    }
  }
  const Exact<std::int64_t> rows{std::span<const std::int64_t>(step.unique)};
  const Exact<float> values{std::span<const float>(step.values)};
  update_rowwise_adagrad({.weights = found.span().data(), .sums = found_sums.span().data(), .dim = dim}, rows.span(),
                         values.span().data(), {.lr = kLr, .epsilon = kEpsilon, .scale = scale});
  expect_equal("weight", dim, found.span(), table);
  expect_equal("sum of squares", 1, found_sums.span(), sums);
}

void check_range(Rows rows, Draws& draws) {
  const std::uint64_t limit = draws.word() >> 1;
  if (!rows.empty() && draws.in_range(0, 1) == 1) {
    rows[draws.in_range(0, rows.size() - 1)] = static_cast<std::int64_t>(draws.word());
  }
  const auto is_outside = [&](std::int64_t row) { return static_cast<std::uint64_t>(row) >= limit; };
  const auto expected = static_cast<std::size_t>(std::ranges::find_if(rows, is_outside) - rows.begin());
  check(first_out_of_range(rows, limit) == expected, "first row out of range", 0, expected);
}

void check_input(Draws& draws) {
  const std::size_t dim = draws.in_range(1, kMaxDim);
  const std::size_t count = draws.in_range(0, kMaxRows);
  const std::size_t num_rows = draws.in_range(1, kMaxRows);
  const Floats values = draw_floats(draws, count * dim);
  check_coalesce(draw_rows(draws, count, UINT64_MAX), values, dim);
  const Rows rows = draw_rows(draws, count, num_rows - 1);
  check_coalesce(rows, values, dim);
  const Floats table = draw_floats(draws, num_rows * dim);
  check_gather(rows, table, dim);
  check_pooling(rows, table, dim, draws);
  const float scale = draws.in_range(0, 1) == 0 ? 1.0F : 0.3F;
  check_update(expected_sums(rows, values, dim), table, Floats(num_rows), dim, scale);
  check_range(rows, draws);
}

}  // namespace
}  // namespace polyrank

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  polyrank::Draws draws({data, size});
  polyrank::check_input(draws);
  return 0;
}
