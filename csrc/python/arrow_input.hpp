#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "polyrank/arrow_c_data.hpp"
#include "polyrank/fingerprint.hpp"

namespace polyrank {

using ArrowColumn = std::variant<StringColumn<std::int32_t>, StringColumn<std::int64_t>, ViewColumn, Int64Column>;

/// An Arrow array taken from the capsules of `__arrow_c_array__` without copying its data, and released with this
/// object.
class ArrowInput {
 public:
  /// Needs the GIL. Throws std::invalid_argument for capsules that are not Arrow's or were taken before, and for a
  /// negative length or offset.
  ArrowInput(const pybind11::object& schema, const pybind11::object& array);
  ~ArrowInput();
  ArrowInput(const ArrowInput&) = delete;
  ArrowInput& operator=(const ArrowInput&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(array_.length); }

  /// The keys, borrowed from this object. Touches no Python object; costs a pass over offsets or views. Throws
  /// std::invalid_argument for a type without a kernel and for structures that contradict themselves.
  [[nodiscard]] ArrowColumn column();

 private:
  template <typename T>
  [[nodiscard]] const T* buffer(std::int64_t index, const char* name, bool is_needed) const;
  [[nodiscard]] Validity validity() const;
  template <typename Offset>
  [[nodiscard]] ArrowColumn string_column() const;
  [[nodiscard]] ArrowColumn view_column();
  [[nodiscard]] ArrowColumn int64_column() const;
  void expect_buffers(std::int64_t count) const;

  std::string format_;
  ArrowArray array_;
  std::vector<const std::uint8_t*> view_buffers_;
};

}  // namespace polyrank
