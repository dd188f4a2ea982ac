#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "polyrank/row_block.hpp"

namespace polyrank {

/// Adds Python values to a block, borrowing the bytes of those that are text. Needs the GIL.
class ItemReader {
 public:
  /// Adds `item`; false for a value that only Python knows what to make of, or that needs its words.
  [[nodiscard]] bool add(PyObject* item, std::size_t row, RowBlock& block) {
    if (const std::string_view text = ascii_of(item); text.data() != nullptr) {
      block.add_text(text, row);
      return true;
    }
    return add_rarer(item, row, block);
  }

  /// The characters of a str that is ASCII, which are its UTF-8; no data for anything else.
  [[nodiscard]] static std::string_view ascii_of(PyObject* item) noexcept {
    if (item == nullptr || PyUnicode_CheckExact(item) == 0 || PyUnicode_IS_COMPACT_ASCII(item) == 0) {
      return {};
    }
    const auto* text = reinterpret_cast<const char*>(reinterpret_cast<const PyASCIIObject*>(item) + 1);
    return {text, static_cast<std::size_t>(PyUnicode_GET_LENGTH(item))};
  }

  /// Forgets the text that it had to write; the block is hashed by then.
  void clear() noexcept { num_written_ = 0; }

 private:
  [[nodiscard]] bool add_rarer(PyObject* item, std::size_t row, RowBlock& block);
  [[nodiscard]] bool add_text(PyObject* item, std::size_t row, RowBlock& block);
  [[nodiscard]] bool add_integer(PyObject* item, RowBlock& block);
  [[nodiscard]] char* room(std::size_t bytes);

  std::vector<std::vector<char>> written_;  // text that is not ASCII, as UTF-8; inner memory never moves
  std::size_t num_written_ = 0;
};

}  // namespace polyrank
