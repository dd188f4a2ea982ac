#include "list_column.hpp"

#include <string>

#include "polyrank/source.hpp"
#include "text_source.hpp"

namespace polyrank {
namespace {

constexpr std::string_view kFixedSizeFormat = "+w:";

[[noreturn]] void refuse_reach() { refuse_array("a list reaches beyond its values"); }

void expect_buffers(const ArrowArray& array, std::int64_t count) {
  if (array.n_buffers < count || array.buffers == nullptr) {
    refuse_array("a list needs " + std::to_string(count) + " buffers, got " +
                 std::to_string(array.buffers == nullptr ? 0 : array.n_buffers));
  }
}

// Offsets or sizes, from the array's own offset on.
template <typename T>
const T* list_buffer(const ArrowArray& array, std::size_t index, const std::string& name) {
  const void* start = array.buffers[index];
  if (start == nullptr && array.length > 0) {
    refuse_array("the " + name + " buffer is null");
  }
  if (reinterpret_cast<std::uintptr_t>(start) % alignof(T) != 0) {
    refuse_array("the " + name + " buffer is not aligned; copy the array");
  }
  return start == nullptr ? nullptr : static_cast<const T*>(start) + array.offset;
}

}  // namespace

ListColumn::Layout ListColumn::layout_of(std::string_view format) {
  if (format == "+l") {
    return Layout::kList;
  }
  if (format == "+L") {
    return Layout::kLargeList;
  }
  if (format == "+vl") {
    return Layout::kListView;
  }
  if (format == "+vL") {
    return Layout::kLargeListView;
  }
  if (format.starts_with(kFixedSizeFormat)) {
    return Layout::kFixedSize;
  }
  if (format == "n") {
    return Layout::kNull;
  }
  throw UnknownLayout();
}

ListColumn::ListColumn(const ArrowSchema& schema, const ArrowArray& array) {
  const ArrowBuffers buffers(schema, array);
  layout_ = layout_of(buffers.format());
  size_ = buffers.size();
  if (layout_ == Layout::kNull) {
    return;
  }
  if (buffers.is_extension()) {
    throw UnknownLayout();
  }
  open_child(schema, array);
  expect_buffers(array, 1);
  validity_ = buffers.validity();
  switch (layout_) {
    case Layout::kList:
      open_offsets<std::int32_t>(array);
      break;
    case Layout::kLargeList:
      open_offsets<std::int64_t>(array);
      break;
    case Layout::kListView:
      open_views<std::int32_t>(array);
      break;
    case Layout::kLargeListView:
      open_views<std::int64_t>(array);
      break;
    default:
      open_fixed(buffers.format(), static_cast<std::size_t>(array.offset));
  }
}

void ListColumn::open_child(const ArrowSchema& schema, const ArrowArray& array) {
  const auto has_one = [](const auto& of) {
    return of.n_children == 1 && of.children != nullptr && of.children[0] != nullptr;
  };
  if (!has_one(schema) || !has_one(array)) {
    refuse_array("a list has one child");
  }
  child_schema_ = schema.children[0];
  child_ = array.children[0];
  if (child_->length < 0) {
    refuse_array("length " + std::to_string(child_->length) + " must be 0 or above");
  }
}

template <typename Offset>
void ListColumn::open_offsets(const ArrowArray& array) {
  expect_buffers(array, 2);
  const auto* offsets = list_buffer<Offset>(array, 1, "offsets");
  bool is_ordered = size_ == 0 || offsets[0] >= 0;
  for (std::size_t row = 0; row < size_; ++row) {
    is_ordered &= offsets[row] <= offsets[row + 1];
  }
  if (!is_ordered) {
    refuse_array("offsets must start at 0 or above and never decrease");
  }
  if (size_ > 0 && std::int64_t{offsets[size_]} > child_->length) {
    refuse_reach();
  }
  offsets_ = offsets;
}

template <typename Offset>
void ListColumn::open_views(const ArrowArray& array) {
  expect_buffers(array, 3);
  const auto* offsets = list_buffer<Offset>(array, 1, "offsets");
  const auto* sizes = list_buffer<Offset>(array, 2, "sizes");
  for (std::size_t row = 0; row < size_; ++row) {
    const std::int64_t begin = offsets[row];
    const std::int64_t size = sizes[row];
    if (validity_[row] && (begin < 0 || size < 0 || size > child_->length || begin > child_->length - size)) {
      refuse_reach();
    }
  }
  offsets_ = offsets;
  sizes_ = sizes;
}

void ListColumn::open_fixed(std::string_view format, std::size_t offset) {
  fixed_size_ = fixed_width(format.substr(1));
  const auto num_values = static_cast<std::size_t>(child_->length);
  if (fixed_size_ > 0 && size_ > 0 && offset + size_ > num_values / fixed_size_) {
    refuse_reach();
  }
  fixed_begin_ = offset * fixed_size_;
}

template <typename Offset>
Range ListColumn::offset_range(std::size_t row) const noexcept {
  const auto* offsets = static_cast<const Offset*>(offsets_) + row;
  const auto begin = static_cast<std::size_t>(offsets[0]);
  return {begin, static_cast<std::size_t>(offsets[1]) - begin};
}

template <typename Offset>
Range ListColumn::view_range(std::size_t row) const noexcept {
  return {static_cast<std::size_t>(static_cast<const Offset*>(offsets_)[row]),
          static_cast<std::size_t>(static_cast<const Offset*>(sizes_)[row])};
}

template <typename RangeOf>
void ListColumn::fill(std::size_t begin, std::span<Range> out, const RangeOf& range_of) const noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = validity_[begin + i] ? range_of(begin + i) : Range{};
  }
}

void ListColumn::ranges(std::size_t begin, std::span<Range> out) const noexcept {
  switch (layout_) {
    case Layout::kNull:
      return fill(begin, out, [](std::size_t) { return Range{}; });
    case Layout::kList:
      return fill(begin, out, [this](std::size_t row) { return offset_range<std::int32_t>(row); });
    case Layout::kLargeList:
      return fill(begin, out, [this](std::size_t row) { return offset_range<std::int64_t>(row); });
    case Layout::kListView:
      return fill(begin, out, [this](std::size_t row) { return view_range<std::int32_t>(row); });
    case Layout::kLargeListView:
      return fill(begin, out, [this](std::size_t row) { return view_range<std::int64_t>(row); });
    case Layout::kFixedSize:
      return fill(begin, out, [this](std::size_t row) { return Range{fixed_begin_ + row * fixed_size_, fixed_size_}; });
  }
}

}  // namespace polyrank
