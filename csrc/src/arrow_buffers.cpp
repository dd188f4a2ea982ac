#include "arrow_buffers.hpp"

#include <cstring>
#include <limits>
#include <stdexcept>

#include "polyrank/levels.hpp"

namespace polyrank {
namespace {

void check_long_view(const View& view, std::span<const std::uint8_t* const> buffers, const std::int64_t* sizes) {
  if (view.length < 0) {
    refuse_array("a view has a negative length");
  }
  const auto buffer = static_cast<std::size_t>(view.buffer);
  if (view.buffer < 0 || buffer >= buffers.size() || buffers[buffer] == nullptr) {
    refuse_array("a view names a buffer that is not there");
  }
  if (view.offset < 0 || std::int64_t{view.offset} + view.length > sizes[buffer]) {
    refuse_array("a view reaches beyond its buffer");
  }
}

// Metadata are a count of pairs, then key and value of each, every text after its length, unaligned.
std::string_view take_text(const char*& from) {
  std::int32_t length;
  std::memcpy(&length, from, sizeof length);
  if (length < 0) {
    refuse_array("the schema's metadata have a negative length");
  }
  const std::string_view text(from + sizeof length, static_cast<std::size_t>(length));
  from += sizeof length + text.size();
  return text;
}

}  // namespace

void refuse_array(const std::string& why) { throw std::invalid_argument("arrow array: " + why); }

template <typename Offset>
void check_strings(const StringColumn<Offset>& column) {
  if (!active_level().are_ordered(column.offsets)) {
    refuse_array("offsets must start at 0 or above and never decrease");
  }
}

template void check_strings(const StringColumn<std::int32_t>& column);
template void check_strings(const StringColumn<std::int64_t>& column);

void check_views(const ViewColumn& column, const std::int64_t* sizes) {
  if (active_level().are_inline(column.views)) {
    return;
  }
  for (std::size_t i = 0; i < column.size(); ++i) {
    const View& view = column.views[i];
    const bool is_inline = view.length >= 0 && view.length <= View::kInlineBytes;
    if (!is_inline && column.is_present(i)) {
      check_long_view(view, column.buffers, sizes);
    }
  }
}

ArrowBuffers::ArrowBuffers(const ArrowSchema& schema, const ArrowArray& array) : schema_(schema), array_(array) {
  if (schema.format == nullptr) {
    refuse_array("the schema has no format");
  }
  format_ = schema.format;
  if (array.length < 0 || array.offset < 0 || array.length >= std::numeric_limits<std::int64_t>::max() - array.offset) {
    refuse_array("length " + std::to_string(array.length) + " and offset " + std::to_string(array.offset) +
                 " must be 0 or above and fit 64 bits together");
  }
  if (array.null_count < -1 || array.null_count > array.length) {
    refuse_array("null_count " + std::to_string(array.null_count) + " does not fit length " +
                 std::to_string(array.length));
  }
}

Validity ArrowBuffers::validity() const {
  const auto* bitmap = at<std::uint8_t>(0, "validity", array_.null_count > 0);
  return {.bitmap = array_.null_count == 0 ? nullptr : bitmap, .bit_offset = static_cast<std::size_t>(array_.offset)};
}

bool ArrowBuffers::is_null_throughout() const {
  if (array_.null_count >= 0) {
    return array_.null_count == array_.length;
  }
  if (format_.starts_with("+r") || format_.starts_with("+u") || array_.n_buffers < 1 || array_.buffers == nullptr) {
    return size() == 0;
  }
  const Validity present = validity();
  for (std::size_t i = 0; i < size(); ++i) {
    if (present[i]) {
      return false;
    }
  }
  return true;
}

bool ArrowBuffers::is_extension() const {
  if (schema_.metadata == nullptr) {
    return false;
  }
  std::int32_t pairs;
  std::memcpy(&pairs, schema_.metadata, sizeof pairs);
  const char* from = schema_.metadata + sizeof pairs;
  for (std::int32_t i = 0; i < pairs; ++i) {
    if (take_text(from) == "ARROW:extension:name") {
      return true;
    }
    take_text(from);
  }
  return false;
}

void ArrowBuffers::expect(std::int64_t count) const {
  if (array_.n_buffers < count || (array_.n_buffers > count && format_[0] != 'v') || array_.buffers == nullptr) {
    refuse_array("format '" + std::string(format_) + "' needs " + std::to_string(count) + " buffers, got " +
                 std::to_string(array_.buffers == nullptr ? 0 : array_.n_buffers));
  }
  if (array_.n_children != 0) {
    refuse_array("format '" + std::string(format_) + "' has no children, got " + std::to_string(array_.n_children));
  }
}

const void* ArrowBuffers::aligned(std::int64_t index, const char* name, bool is_needed, std::size_t alignment) const {
  const void* start = array_.buffers[index];
  if (start == nullptr && is_needed) {
    refuse_array(std::string("the ") + name + " buffer is null");
  }
  if (reinterpret_cast<std::uintptr_t>(start) % alignment != 0) {
    refuse_array(std::string("the ") + name + " buffer is not aligned; copy the array");
  }
  return start;
}

Validity ArrowBuffers::bits() const {
  expect(2);
  return {.bitmap = at<std::uint8_t>(1, "data", size() > 0), .bit_offset = static_cast<std::size_t>(array_.offset)};
}

const std::uint8_t* ArrowBuffers::fixed_bytes(std::size_t width) const {
  expect(2);
  const auto* data = at<std::uint8_t>(1, "data", size() > 0 && width > 0);
  return width == 0 ? data : data + static_cast<std::size_t>(array_.offset) * width;
}

template <typename Offset>
StringColumn<Offset> ArrowBuffers::unchecked_strings() const {
  expect(3);
  const auto* offsets = at<Offset>(1, "offsets", true);
  StringColumn<Offset> column{
      .offsets = std::span(offsets + array_.offset, size() + 1), .data = nullptr, .validity = validity()};
  column.data = at<std::uint8_t>(2, "data", column.offsets.front() != column.offsets.back());
  if (column.data == nullptr) {
    check_strings(column);  // where its ends are equal, so are all offsets in order: no key has a byte
  }
  return column;
}

template StringColumn<std::int32_t> ArrowBuffers::unchecked_strings() const;
template StringColumn<std::int64_t> ArrowBuffers::unchecked_strings() const;

template <typename Offset>
StringColumn<Offset> ArrowBuffers::strings() const {
  const auto column = unchecked_strings<Offset>();
  check_strings(column);
  return column;
}

template StringColumn<std::int32_t> ArrowBuffers::strings() const;
template StringColumn<std::int64_t> ArrowBuffers::strings() const;

UncheckedViews ArrowBuffers::unchecked_views(std::vector<const std::uint8_t*>& data) const {
  expect(3);
  const auto* views = at<View>(1, "views", true);
  // After the bitmap and the views come the data buffers, and last an array of their sizes.
  const auto data_buffers = static_cast<std::size_t>(array_.n_buffers - 3);
  const auto* sizes = at<std::int64_t>(array_.n_buffers - 1, "buffer sizes", data_buffers > 0);
  for (std::size_t i = 0; i < data_buffers; ++i) {
    data.push_back(static_cast<const std::uint8_t*>(array_.buffers[2 + i]));
  }
  return {.column = {.views = std::span(views + array_.offset, size()), .buffers = data, .validity = validity()},
          .sizes = sizes};
}

ViewColumn ArrowBuffers::views(std::vector<const std::uint8_t*>& data) const {
  const UncheckedViews views = unchecked_views(data);
  check_views(views.column, views.sizes);
  return views.column;
}

}  // namespace polyrank
