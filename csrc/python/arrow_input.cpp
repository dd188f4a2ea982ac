#include "arrow_input.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>

namespace polyrank {
namespace {

namespace py = pybind11;

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument("arrow array: " + why); }

template <typename Struct>
Struct& open_capsule(const py::object& capsule, const char* name) {
  if (PyCapsule_IsValid(capsule.ptr(), name) == 0) {
    refuse(std::string("expected a capsule named ") + name);
  }
  auto& content = *static_cast<Struct*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (content.release == nullptr) {
    refuse(std::string("the capsule ") + name + " was already consumed");
  }
  return content;
}

template <typename Offset>
void check_offsets(std::span<const Offset> offsets) {
  bool is_ordered = offsets.front() >= 0;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    is_ordered &= offsets[i - 1] <= offsets[i];
  }
  if (!is_ordered) {
    refuse("offsets must start at 0 or above and never decrease");
  }
}

void check_view(const View& view, std::span<const std::uint8_t* const> buffers, const std::int64_t* sizes) {
  if (view.length < 0) {
    refuse("a view has a negative length");
  }
  if (view.length <= View::kInlineBytes) {
    return;
  }
  const auto buffer = static_cast<std::size_t>(view.buffer);
  if (view.buffer < 0 || buffer >= buffers.size() || buffers[buffer] == nullptr) {
    refuse("a view names a buffer that is not there");
  }
  if (view.offset < 0 || std::int64_t{view.offset} + view.length > sizes[buffer]) {
    refuse("a view reaches beyond its buffer");
  }
}

}  // namespace

ArrowInput::ArrowInput(const py::object& schema, const py::object& array) {
  auto& source_schema = open_capsule<ArrowSchema>(schema, "arrow_schema");
  auto& source = open_capsule<ArrowArray>(array, "arrow_array");
  if (source_schema.format == nullptr) {
    refuse("the schema has no format");
  }
  if (source.length < 0 || source.offset < 0 ||
      source.length >= std::numeric_limits<std::int64_t>::max() - source.offset) {
    refuse("length " + std::to_string(source.length) + " and offset " + std::to_string(source.offset) +
           " must be 0 or above and fit 64 bits together");
  }
  format_ = source_schema.format;
  // Moving out, as the interface allows, keeps the data alive while the GIL is released, whatever becomes of the
  // capsule.
  array_ = source;
  source.release = nullptr;
}

ArrowInput::~ArrowInput() { array_.release(&array_); }

ArrowColumn ArrowInput::column() {
  if (array_.dictionary != nullptr || array_.n_children != 0) {
    refuse("nested and dictionary-encoded arrays have no kernel");
  }
  if (format_ == "u" || format_ == "z") {
    return string_column<std::int32_t>();
  }
  if (format_ == "U" || format_ == "Z") {
    return string_column<std::int64_t>();
  }
  if (format_ == "vu" || format_ == "vz") {
    return view_column();
  }
  if (format_ == "l") {
    return int64_column();
  }
  refuse("format '" + format_ + "' has no kernel; text, bytes and int64 have");
}

void ArrowInput::expect_buffers(std::int64_t count) const {
  if (array_.n_buffers < count || (array_.n_buffers > count && format_[0] != 'v') || array_.buffers == nullptr) {
    refuse("format '" + format_ + "' needs " + std::to_string(count) + " buffers, got " +
           std::to_string(array_.buffers == nullptr ? 0 : array_.n_buffers));
  }
}

template <typename T>
const T* ArrowInput::buffer(std::int64_t index, const char* name, bool is_needed) const {
  const void* start = array_.buffers[index];
  if (start == nullptr && is_needed) {
    refuse(std::string("the ") + name + " buffer is null");
  }
  if (reinterpret_cast<std::uintptr_t>(start) % alignof(T) != 0) {
    refuse(std::string("the ") + name + " buffer is not aligned; copy the array");
  }
  return static_cast<const T*>(start);
}

Validity ArrowInput::validity() const {
  if (array_.null_count < -1 || array_.null_count > array_.length) {
    refuse("null_count " + std::to_string(array_.null_count) + " does not fit length " + std::to_string(array_.length));
  }
  const auto* bitmap = buffer<std::uint8_t>(0, "validity", array_.null_count > 0);
  return {.bitmap = array_.null_count == 0 ? nullptr : bitmap, .bit_offset = static_cast<std::size_t>(array_.offset)};
}

template <typename Offset>
ArrowColumn ArrowInput::string_column() const {
  expect_buffers(3);
  const auto* offsets = buffer<Offset>(1, "offsets", array_.length > 0);
  if (array_.length == 0) {
    return StringColumn<Offset>{};
  }
  StringColumn<Offset> column{
      .offsets = std::span(offsets + array_.offset, size() + 1), .data = nullptr, .validity = validity()};
  check_offsets(column.offsets);
  column.data = buffer<std::uint8_t>(2, "data", column.offsets.front() != column.offsets.back());
  return column;
}

ArrowColumn ArrowInput::view_column() {
  expect_buffers(3);
  const auto* views = buffer<View>(1, "views", array_.length > 0);
  if (array_.length == 0) {
    return ViewColumn{};
  }
  // After the bitmap and the views come the data buffers, and last an array of their sizes.
  const auto data_buffers = static_cast<std::size_t>(array_.n_buffers - 3);
  const auto* sizes = buffer<std::int64_t>(array_.n_buffers - 1, "buffer sizes", data_buffers > 0);
  view_buffers_.clear();
  for (std::size_t i = 0; i < data_buffers; ++i) {
    view_buffers_.push_back(static_cast<const std::uint8_t*>(array_.buffers[2 + i]));
  }
  const ViewColumn column{
      .views = std::span(views + array_.offset, size()), .buffers = view_buffers_, .validity = validity()};
  for (std::size_t i = 0; i < column.size(); ++i) {
    if (column.is_present(i)) {
      check_view(column.views[i], column.buffers, sizes);
    }
  }
  return column;
}

ArrowColumn ArrowInput::int64_column() const {
  expect_buffers(2);
  const auto* values = buffer<std::int64_t>(1, "data", array_.length > 0);
  if (array_.length == 0) {
    return Int64Column{};
  }
  return Int64Column{.values = std::span(values + array_.offset, size()), .validity = validity()};
}

}  // namespace polyrank
