#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "rows.hpp"

namespace polyrank {

/// Python values of any types: a list, a tuple, or a contiguous numpy array of objects.
class ItemRows final : public Rows {
 public:
  explicit ItemRows(pybind11::object values);

  [[nodiscard]] std::size_t size() const override { return size_; }
  void fingerprint(const PythonReading& how, std::span<std::int64_t> out) override;
  void chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) override;

 private:
  pybind11::object values_;
  std::size_t size_;
};

}  // namespace polyrank
