#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <cstdint>
#include <span>

#include "polyrank/missing_tokens.hpp"

namespace polyrank {

enum class KeyStatus : std::uint8_t {
  kPresent,
  kAbsent,
  kUnusual,  ///< a value that has no canonical form, or one that Python reads more slowly
};

/// Canonical bytes of single Python values of the plain types: None, str, bytes, int, bool, float.
class KeyReader {
 public:
  explicit KeyReader(const Reading& reading) : how_(reading) {}

  [[nodiscard]] std::uint64_t seed() const noexcept { return how_.seed; }

  /// Needs the GIL; runs no Python code. The bytes of a present key are valid until the next call, while the value
  /// lives.
  [[nodiscard]] KeyStatus read(PyObject* value);
  [[nodiscard]] std::span<const std::uint8_t> key() const noexcept { return key_; }

 private:
  [[nodiscard]] KeyStatus read_text(std::string_view text) noexcept;
  [[nodiscard]] KeyStatus read_integer(std::int64_t value) noexcept;
  [[nodiscard]] KeyStatus read_float(double value) noexcept;
  [[nodiscard]] KeyStatus keep(std::string_view bytes) noexcept;

  PreparedReading how_;
  std::array<char, 20> digits_;  // of an integer, or its 8 bytes
  std::span<const std::uint8_t> key_;
};

/// A str, int or float as UTF-8, int64 or double; false where it has none, without a Python error.
[[nodiscard]] bool utf8_of(PyObject* text, std::string_view& out) noexcept;
[[nodiscard]] bool int64_of(PyObject* integer, std::int64_t& out) noexcept;

/// A number for `dense` from None, int, bool or float; false for what is none, or no finite float32.
[[nodiscard]] bool number_of(PyObject* value, float& out) noexcept;

}  // namespace polyrank
