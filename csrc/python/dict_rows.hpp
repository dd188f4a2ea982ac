#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "polyrank/encode.hpp"

namespace polyrank {

/// One row of the matrices, and what a dict has for the plan's columns, None where it has nothing.
struct DictRow {
  const std::vector<pybind11::object>& values;
  std::int64_t* ids;
  float* weights;
  float* dense;
};

/// One group of a plan, reading Python values.
class DictGroup {
 public:
  DictGroup() = default;
  virtual ~DictGroup() = default;
  DictGroup(const DictGroup&) = delete;
  DictGroup& operator=(const DictGroup&) = delete;

  /// Writes the slots of one row. False for a value that needs the slower way.
  [[nodiscard]] virtual bool encode(const DictRow& row) = 0;
};

/// A plan's way with rows that are Python dicts, for one call at a time: its readers keep their last key.
class DictEncoder {
 public:
  explicit DictEncoder(const Plan& plan);

  /// Writes the `num_rows` rows of a list or tuple. Needs the GIL. False where something is unusual - a row that is no
  /// dict, a value of another type, a column that no row has, another number of rows by now - and the rows must be read
  /// in the slower way, which finds the words for what is wrong.
  [[nodiscard]] bool encode(const pybind11::object& rows, std::size_t num_rows, const Matrices& out);

 private:
  [[nodiscard]] bool encode_rows(PyObject* rows, Py_ssize_t num_rows, const Matrices& out);
  [[nodiscard]] bool encode_row(PyObject* row, std::size_t index, const Matrices& out);

  const Plan& plan_;
  std::vector<pybind11::object> names_;  // interned
  std::vector<std::uint8_t> is_known_;   // whether some row has the column
  std::vector<pybind11::object> values_;
  std::vector<std::unique_ptr<DictGroup>> groups_;
  bool is_busy_ = false;
};

}  // namespace polyrank
