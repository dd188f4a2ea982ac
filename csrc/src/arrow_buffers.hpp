#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "polyrank/arrow_c_data.hpp"
#include "polyrank/fingerprint.hpp"

namespace polyrank {

/// Throws std::invalid_argument for an array that contradicts itself.
[[noreturn]] void refuse_array(const std::string& why);

/// Throws std::invalid_argument for offsets that are negative or decrease.
template <typename Offset>
void check_strings(const StringColumn<Offset>& column);

/// Throws std::invalid_argument for a view of a present key that lies outside its buffer, of `sizes` bytes.
void check_views(const ViewColumn& column, const std::int64_t* sizes);

struct UncheckedViews {
  ViewColumn column;
  const std::int64_t* sizes;  ///< bytes of each of the column's buffers
};

/// One Arrow array whose buffers are checked as they are taken. Borrows the structs and what they point to.
class ArrowBuffers {
 public:
  /// Throws std::invalid_argument for a length, offset or null count that cannot be.
  ArrowBuffers(const ArrowSchema& schema, const ArrowArray& array);

  [[nodiscard]] std::string_view format() const noexcept { return format_; }
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(array_.length); }
  [[nodiscard]] Validity validity() const;

  /// Whether every row is null; false for what keeps its nulls elsewhere (unions, run-end encoding).
  [[nodiscard]] bool is_null_throughout() const;

  /// Whether the type is an extension that its metadata name.
  [[nodiscard]] bool is_extension() const;

  /// Throws std::invalid_argument for fewer buffers, or more where the format has no views, and for children.
  void expect(std::int64_t count) const;

  /// A single buffer of values after the validity.
  template <typename T>
  [[nodiscard]] std::span<const T> values() const {
    expect(2);
    return {at<T>(1, "data", size() > 0) + array_.offset, size()};
  }

  /// Booleans: a bitmap read as a validity is.
  [[nodiscard]] Validity bits() const;

  /// Fixed-size bytes, from the first row on.
  [[nodiscard]] const std::uint8_t* fixed_bytes(std::size_t width) const;

  template <typename Offset>
  [[nodiscard]] StringColumn<Offset> strings() const;

  /// `data` receives the data buffers that the column borrows.
  [[nodiscard]] ViewColumn views(std::vector<const std::uint8_t*>& data) const;

  /// The same without a pass over offsets or views: whoever reads a piece checks it first, while it is in the cache.
  template <typename Offset>
  [[nodiscard]] StringColumn<Offset> unchecked_strings() const;
  [[nodiscard]] UncheckedViews unchecked_views(std::vector<const std::uint8_t*>& data) const;

 private:
  template <typename T>
  [[nodiscard]] const T* at(std::int64_t index, const char* name, bool is_needed) const {
    return static_cast<const T*>(aligned(index, name, is_needed, alignof(T)));
  }
  [[nodiscard]] const void* aligned(std::int64_t index, const char* name, bool is_needed, std::size_t alignment) const;

  const ArrowSchema& schema_;
  const ArrowArray& array_;
  std::string_view format_;
};

}  // namespace polyrank
