#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "arrow_buffers.hpp"

namespace polyrank {

/// Values [begin, begin + size) of the child of a list array.
struct Range {
  std::size_t begin = 0;
  std::size_t size = 0;
};

/// Any of Arrow's list layouts, or its null type as lists that are all null. Borrows the array.
class ListColumn {
 public:
  /// Throws UnknownLayout for what is no list, std::invalid_argument for lists that reach beyond their child.
  ListColumn(const ArrowSchema& schema, const ArrowArray& array);

  [[nodiscard]] bool has_child() const noexcept { return child_ != nullptr; }
  [[nodiscard]] const ArrowSchema& child_schema() const noexcept { return *child_schema_; }
  [[nodiscard]] const ArrowArray& child() const noexcept { return *child_; }

  [[nodiscard]] bool is_null(std::size_t row) const noexcept { return layout_ == Layout::kNull || !validity_[row]; }

  /// The values of rows [begin, begin + out.size()); none for a null list.
  void ranges(std::size_t begin, std::span<Range> out) const noexcept;

 private:
  enum class Layout : std::uint8_t { kNull, kList, kLargeList, kListView, kLargeListView, kFixedSize };

  [[nodiscard]] static Layout layout_of(std::string_view format);
  void open_child(const ArrowSchema& schema, const ArrowArray& array);
  template <typename Offset>
  void open_offsets(const ArrowArray& array);
  template <typename Offset>
  void open_views(const ArrowArray& array);
  void open_fixed(std::string_view format, std::size_t offset);
  template <typename Offset>
  [[nodiscard]] Range offset_range(std::size_t row) const noexcept;
  template <typename Offset>
  [[nodiscard]] Range view_range(std::size_t row) const noexcept;
  template <typename RangeOf>
  void fill(std::size_t begin, std::span<Range> out, const RangeOf& range_of) const noexcept;

  Layout layout_;
  std::size_t size_;
  Validity validity_;
  const void* offsets_ = nullptr;
  const void* sizes_ = nullptr;
  std::size_t fixed_size_ = 0;
  std::size_t fixed_begin_ = 0;
  const ArrowSchema* child_schema_ = nullptr;
  const ArrowArray* child_ = nullptr;
};

}  // namespace polyrank
