#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "polyrank/row_block.hpp"
#include "rows.hpp"

namespace polyrank {

/// numpy's bytes and text of a fixed width (kinds S and U), without the NULs that fill them up.
class FixedTextRows final : public Rows {
 public:
  /// `values` is contiguous, aligned and of this machine's byte order.
  explicit FixedTextRows(pybind11::array values);

  [[nodiscard]] std::size_t size() const override { return size_; }
  void fingerprint(const PythonReading& how, std::span<std::int64_t> out) override;
  void chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) override;

 private:
  template <typename Hash>
  void for_each_block(const PythonReading& how, const Hash& hash);
  void gather(std::size_t begin, std::size_t count, const PythonReading& how, RowBlock& block);
  [[nodiscard]] std::string_view bytes_of(std::size_t row) const noexcept;
  char* add_text(std::size_t row, char* scratch, const PythonReading& how, RowBlock& block);

  pybind11::array values_;
  bool is_text_;
  std::size_t size_;
  std::size_t width_;  // in bytes, or in code points of text
  std::vector<char> scratch_;
};

}  // namespace polyrank
