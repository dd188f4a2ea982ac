#include "key_reader.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include "polyrank/decimal.hpp"
#include "polyrank/fingerprint.hpp"

namespace polyrank {
namespace {

constexpr double kMaxExact = 9007199254740992.0;

}  // namespace

bool utf8_of(PyObject* text, std::string_view& out) noexcept {
  Py_ssize_t length = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(text, &length);
  if (bytes == nullptr) {
    PyErr_Clear();
    return false;
  }
  out = {bytes, static_cast<std::size_t>(length)};
  return true;
}

bool int64_of(PyObject* integer, std::int64_t& out) noexcept {
  int overflow = 0;
  out = PyLong_AsLongLongAndOverflow(integer, &overflow);
  return overflow == 0;
}

bool number_of(PyObject* value, float& out) noexcept {
  out = std::numeric_limits<float>::quiet_NaN();
  if (value == Py_None) {
    return true;
  }
  if (PyFloat_Check(value)) {
    out = static_cast<float>(PyFloat_AS_DOUBLE(value));
  } else if (PyBool_Check(value)) {
    out = value == Py_True ? 1.0F : 0.0F;
  } else if (PyLong_CheckExact(value)) {
    const double wide = PyLong_AsDouble(value);
    if (wide == -1.0 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      return false;
    }
    out = static_cast<float>(wide);
  } else {
    return false;
  }
  return !std::isinf(out);
}

KeyStatus KeyReader::read(PyObject* value) {
  if (PyUnicode_CheckExact(value)) {
    std::string_view text;
    return utf8_of(value, text) ? read_text(text) : KeyStatus::kUnusual;
  }
  if (value == Py_None) {
    return KeyStatus::kAbsent;
  }
  if (PyLong_CheckExact(value)) {
    std::int64_t integer = 0;
    return int64_of(value, integer) ? read_integer(integer) : KeyStatus::kUnusual;
  }
  if (PyFloat_Check(value)) {
    return read_float(PyFloat_AS_DOUBLE(value));
  }
  if (PyBool_Check(value)) {
    return how_.dtype == Dtype::kText ? keep(value == Py_True ? "true" : "false") : read_integer(value == Py_True);
  }
  if (PyBytes_CheckExact(value) && how_.dtype == Dtype::kText) {
    return keep({PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value))});
  }
  return KeyStatus::kUnusual;
}

KeyStatus KeyReader::read_text(std::string_view text) noexcept {
  if (how_.dtype == Dtype::kText) {
    return keep(text);
  }
  if (how_.tokens.has_texts() && how_.tokens.contains(text)) {
    return KeyStatus::kAbsent;
  }
  const ParsedDecimal parsed = parse_decimal(text);
  return parsed.status == DecimalStatus::kInteger ? read_integer(parsed.value) : KeyStatus::kUnusual;
}

KeyStatus KeyReader::read_integer(std::int64_t value) noexcept {
  if (how_.tokens.has_integers() && how_.tokens.contains(value)) {
    return KeyStatus::kAbsent;
  }
  std::size_t length = sizeof value;
  if (how_.dtype == Dtype::kInt64) {
    const auto bytes = Int64Column{.values = {&value, 1}, .validity = {}}.key(0);
    std::copy(bytes.begin(), bytes.end(), digits_.begin());
  } else {
    length = static_cast<std::size_t>(std::to_chars(digits_.data(), digits_.data() + digits_.size(), value).ptr -
                                      digits_.data());
  }
  key_ = {reinterpret_cast<const std::uint8_t*>(digits_.data()), length};
  return KeyStatus::kPresent;
}

KeyStatus KeyReader::read_float(double value) noexcept {
  if (std::isnan(value)) {
    return KeyStatus::kAbsent;
  }
  const bool is_exact = std::abs(value) <= kMaxExact && std::trunc(value) == value;
  return is_exact ? read_integer(static_cast<std::int64_t>(value)) : KeyStatus::kUnusual;
}

KeyStatus KeyReader::keep(std::string_view bytes) noexcept {
  if (how_.tokens.has_texts() && how_.tokens.contains(bytes)) {
    return KeyStatus::kAbsent;
  }
  key_ = {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  return KeyStatus::kPresent;
}

}  // namespace polyrank
