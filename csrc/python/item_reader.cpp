#include "item_reader.hpp"

#include <span>

#include "polyrank/utf8.hpp"

namespace polyrank {
namespace {

template <typename Unit>
char* encode(PyObject* text, char* out) noexcept {
  const auto* units = static_cast<const Unit*>(PyUnicode_DATA(text));
  return write_utf8(std::span(units, static_cast<std::size_t>(PyUnicode_GET_LENGTH(text))), out);
}

}  // namespace

bool ItemReader::add_rarer(PyObject* item, std::size_t row, RowBlock& block) {
  if (item == nullptr || item == Py_None) {
    block.add_missing();
    return true;
  }
  if (PyUnicode_Check(item) != 0) {
    return add_text(item, row, block);
  }
  if (PyLong_CheckExact(item) != 0) {
    return add_integer(item, block);
  }
  if (PyFloat_Check(item) != 0) {
    block.add_float(PyFloat_AS_DOUBLE(item), row);
    return true;
  }
  if (PyBool_Check(item) != 0) {
    block.add_boolean(item == Py_True);
    return true;
  }
  if (PyBytes_CheckExact(item) != 0) {
    block.add_bytes({PyBytes_AS_STRING(item), static_cast<std::size_t>(PyBytes_GET_SIZE(item))}, row);
    return true;
  }
  return false;
}

bool ItemReader::add_text(PyObject* item, std::size_t row, RowBlock& block) {
#if PY_VERSION_HEX < 0x030C0000
  if (PyUnicode_READY(item) < 0) {  // text that an old C API made has no such form yet
    throw pybind11::error_already_set();
  }
#endif
  // Python would write the UTF-8 into the str and keep it there.
  char* begin = room(static_cast<std::size_t>(PyUnicode_GET_LENGTH(item)) * kMaxUtf8Bytes);
  char* end = nullptr;
  switch (PyUnicode_KIND(item)) {
    case PyUnicode_1BYTE_KIND:
      end = encode<std::uint8_t>(item, begin);
      break;
    case PyUnicode_2BYTE_KIND:
      end = encode<std::uint16_t>(item, begin);
      break;
    default:
      end = encode<std::uint32_t>(item, begin);
  }
  if (end == nullptr) {
    return false;  // a lone surrogate
  }
  block.add_text({begin, static_cast<std::size_t>(end - begin)}, row);
  return true;
}

bool ItemReader::add_integer(PyObject* item, RowBlock& block) {
  int overflow = 0;
  const std::int64_t value = PyLong_AsLongLongAndOverflow(item, &overflow);
  if (overflow != 0) {
    return false;
  }
  block.add_integer(value);
  return true;
}

char* ItemReader::room(std::size_t bytes) {
  if (num_written_ == written_.size()) {
    written_.emplace_back();
  }
  auto& buffer = written_[num_written_++];
  if (buffer.size() < bytes) {
    buffer.resize(bytes);
  }
  return buffer.data();
}

}  // namespace polyrank
