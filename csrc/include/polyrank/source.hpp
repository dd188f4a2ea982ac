#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "polyrank/arrow_c_data.hpp"

/// Columns as they arrive, read under the dtype that a feature declares (docs/fingerprint.md, "Canonical bytes").
namespace polyrank {

enum class Dtype : std::uint8_t { kText, kInt64 };

/// How the values of one column are read.
struct Reading {
  Dtype dtype = Dtype::kText;
  std::uint64_t seed = 42;
  std::vector<std::string> missing;  ///< tokens that count as missing beside null and NaN
};

/// Why a value has no canonical form; Python words it (polyrank.canonical.reading).
enum class Reason : std::uint8_t {
  kNotWhole,     ///< a float with a fraction
  kInfinite,     ///< an infinite float
  kTooLarge,     ///< a float beyond 2**53
  kNotDecimal,   ///< text that is no decimal integer, under int64
  kOutOfRange,   ///< an integer beyond int64, under int64
  kBytes,        ///< bytes under int64
  kInvalidUtf8,  ///< text to be cut into tokens that is not UTF-8
  kNotFinite,    ///< a number for `dense` that is no finite float32
  kNegative,     ///< a number below 0 where only others are taken
  kLengths,      ///< a list and its weights that differ in length
};

/// A value without a canonical form, at a row counted from 0 within its array.
class Refusal : public std::exception {
 public:
  Refusal(Reason reason, std::size_t row) noexcept : reason_(reason), row_(row) {}
  [[nodiscard]] Reason reason() const noexcept { return reason_; }
  [[nodiscard]] std::size_t row() const noexcept { return row_; }
  [[nodiscard]] const char* what() const noexcept override { return "a value has no canonical form"; }

 private:
  Reason reason_;
  std::size_t row_;
};

/// A dictionary index that names no value, at a row counted from 0 within its array.
class WrongIndex : public std::invalid_argument {
 public:
  WrongIndex(std::string index, std::size_t row, std::size_t num_values);

  /// The same where the array's first row is `first_row` of a column.
  [[nodiscard]] WrongIndex from_row(std::size_t first_row) const { return {index_, first_row + row_, num_values_}; }

  /// The same where the array holds the values of lists, so that no row is known.
  [[nodiscard]] std::invalid_argument in_lists() const;

 private:
  std::string index_;
  std::size_t row_;
  std::size_t num_values_;
};

/// An Arrow type that no source reads (dates, decimals, structs, ...): Python has a slower way, or a message.
class UnknownLayout : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "no source reads this Arrow type"; }
};

/// One column, borrowed from the Arrow array it was opened on, which must outlive it. Safe to share between threads.
/// Rows are hashed in any order and in pieces of any size; callers pass pieces that fit the L1 cache where they can.
class Source {
 public:
  Source() = default;
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] virtual std::size_t size() const noexcept = 0;

  /// Writes the fingerprints of rows [begin, begin + out.size()), -1 for a missing one. Throws Refusal, of the first
  /// row that has one, and std::invalid_argument for offsets or views that open_source has not looked at.
  virtual void fingerprint(std::size_t begin, std::span<std::int64_t> out) const = 0;

  /// One part of a cross over rows [begin, begin + states.size()): replaces each state by the full 64-bit hash of the
  /// row's key with that state as seed. Where the row is missing, sets is_missing to 1 (never to 0). Throws as
  /// `fingerprint` does.
  virtual void chain(std::size_t begin, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) const = 0;
};

/// Opens a source on an Arrow array: checks its buffers, and reads no value yet but those of a dictionary. Offsets and
/// views are checked here under `int64`, and under `text` piece by piece as they are read. Throws std::invalid_argument
/// for structures that contradict themselves (WrongIndex for a dictionary's), UnknownLayout, and Refusal where the type
/// itself is refused (kBytes, at the first row present).
[[nodiscard]] std::unique_ptr<Source> open_source(const ArrowSchema& schema, const ArrowArray& array,
                                                  const Reading& reading);

}  // namespace polyrank
