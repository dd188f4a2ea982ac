#include "polyrank/embedding_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "row_prefetch.hpp"
#include "row_vectors.hpp"
#include "row_width.hpp"

namespace polyrank {
namespace {

constexpr std::size_t kLanes = 2 * kQuad;

struct PartialSums {
  Quad low{};
  Quad high{};

  void add_squares(const float* values, float scale) noexcept {
    const Quad first = scale * load_quad(values);
    const Quad second = scale * load_quad(values + kQuad);
    low += first * first;
    high += second * second;
  }
  [[nodiscard]] float total() const noexcept {
    const Quad half = low + high;
    return (half[0] + half[2]) + (half[1] + half[3]);
  }
};

template <typename Width>
float mean_square(const float* values, float scale, Width width) noexcept {
  PartialSums sums;
  const std::size_t whole = width / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    sums.add_squares(values + i, scale);
  }
  if (whole < width) {
    std::array<float, kLanes> rest{};  // a zero more changes no sum of squares
    std::copy_n(values + whole, width - whole, rest.begin());
    sums.add_squares(rest.data(), scale);
  }
  return sums.total() / static_cast<float>(static_cast<std::size_t>(width));
}

}  // namespace

std::size_t first_out_of_range(std::span<const std::int64_t> rows, std::size_t num_rows) noexcept {
  const std::uint64_t last = static_cast<std::uint64_t>(num_rows) - 1;
  std::uint64_t signs = 0;
  for (const std::int64_t row : rows) {
    // A negative row brings its own sign, a row after the last that of the difference.
    signs |= static_cast<std::uint64_t>(row) | (last - static_cast<std::uint64_t>(row));
  }
  if (signs >> 63 == 0) {
    return rows.size();
  }
  const auto is_outside = [last](std::int64_t row) { return row < 0 || row > static_cast<std::int64_t>(last); };
  return static_cast<std::size_t>(std::ranges::find_if(rows, is_outside) - rows.begin());
}

void gather_rows(const float* table, std::size_t dim, std::span<const std::int64_t> rows, float* out) noexcept {
  with_width(dim, [=](auto width) noexcept {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      prefetch(table + static_cast<std::size_t>(row_ahead(rows, i)) * width, width);
      copy_row(table + static_cast<std::size_t>(rows[i]) * width, width, out + i * width);
    }
  });
}

void update_rowwise_adagrad(AdagradTable table, std::span<const std::int64_t> rows, const float* values,
                            AdagradStep step) noexcept {
  with_width(table.dim, [=](auto width) noexcept {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto ahead = static_cast<std::size_t>(row_ahead(rows, i));
      prefetch(table.weights + ahead * width, width);
      __builtin_prefetch(table.sums + ahead);
      const auto row = static_cast<std::size_t>(rows[i]);
      const float* value = values + i * width;
      table.sums[row] += mean_square(value, step.scale, width);
      const float rate = step.lr / (std::sqrt(table.sums[row]) + step.epsilon);
      combine_row(table.weights + row * width, value, width,
                  [=](auto weight, auto gradient) { return weight - rate * (step.scale * gradient); });
    }
  });
}

}  // namespace polyrank
