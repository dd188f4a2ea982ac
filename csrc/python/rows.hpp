#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>

#include "polyrank/missing_tokens.hpp"
#include "polyrank/source.hpp"

namespace polyrank {

/// How Python wants a column read, and whom it asks about values that C++ does not know.
struct PythonReading {
  Reading reading;
  /// (value, row) to bytes, int or None, or an exception: the place of exact messages and of rare types.
  pybind11::object odd_value;
};

/// Thrown where a producer fails to hand its data over as Arrow; what() is the producer's own message.
class ExportError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A column taken from Python. Its methods are called with the GIL held, and let go of it where they can; some keep
/// scratch, so one thread hashes at a time.
class Rows {
 public:
  Rows() = default;
  virtual ~Rows() = default;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  [[nodiscard]] virtual std::size_t size() const = 0;

  /// Whether `out` may be written while the rows are read: false where a row would be written before another is read.
  [[nodiscard]] virtual bool may_write(std::span<const std::int64_t> /*out*/) const { return true; }

  /// As Source has them, for all rows, which a Refusal counts from 0 through all chunks.
  virtual void fingerprint(const PythonReading& how, std::span<std::int64_t> out) = 0;
  virtual void chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) = 0;
};

/// Takes a list or tuple, a numpy array, what has `__arrow_c_array__` or `__arrow_c_stream__`, or rows taken before.
/// Throws TypeError for anything else, ExportError, and std::invalid_argument for Arrow structures that are wrong.
[[nodiscard]] std::shared_ptr<Rows> take_rows(const pybind11::object& values);

/// The same for Python to keep: a capsule that stands for the rows, and how many there are.
[[nodiscard]] pybind11::tuple as_taken(const pybind11::object& values);

}  // namespace polyrank
