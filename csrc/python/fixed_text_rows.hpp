#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "block_rows.hpp"
#include "numpy_rows.hpp"
#include "polyrank/row_block.hpp"

namespace polyrank {

/// numpy's bytes of a fixed width (kind S), without the NULs that fill them up. `values` is plain, as in numpy_rows.
class FixedBytesRows final : public BlockRows {
 public:
  explicit FixedBytesRows(pybind11::array values);

  [[nodiscard]] bool may_write(std::span<const std::int64_t> out) const override { return is_apart(values_, out); }

 private:
  std::shared_ptr<void> gather(std::size_t begin, std::size_t count, const PythonReading& how,
                               RowBlock& block) override;

  pybind11::array values_;
  std::size_t width_;
};

/// numpy's text of a fixed width (kind U), code points of 4 bytes, without the NULs that fill it up.
class FixedTextRows final : public BlockRows {
 public:
  explicit FixedTextRows(pybind11::array values);

  [[nodiscard]] bool may_write(std::span<const std::int64_t> out) const override { return is_apart(values_, out); }

 private:
  FixedTextRows(pybind11::array values, std::size_t width);
  std::shared_ptr<void> gather(std::size_t begin, std::size_t count, const PythonReading& how,
                               RowBlock& block) override;
  void add_odd(std::size_t row, const PythonReading& how, RowBlock& block);

  pybind11::array values_;
  std::size_t width_;  // in code points
  std::vector<char> scratch_;
};

}  // namespace polyrank
