#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "polyrank/columns.hpp"

/// What lanes need to know of a column: where its keys begin, how long they are, which are present.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

template <typename Offset>
const std::uint8_t* begin_of(const StringColumn<Offset>& column, std::size_t index) {
  return column.data + column.offsets[index];
}

template <typename Offset>
std::make_unsigned_t<Offset> length_of(const StringColumn<Offset>& column, std::size_t index) {
  return static_cast<std::make_unsigned_t<Offset>>(column.offsets[index + 1] - column.offsets[index]);
}

/// Without a branch, as lengths come in no order; a missing key's view may be anything.
const std::uint8_t* begin_of(const ViewColumn& column, std::size_t index) {
  const View& view = column.views[index];
  const std::uint8_t* const inside = view.prefix.data();
  const std::uint8_t* const* const buffers[] = {&inside, column.buffers.data()};
  const std::int32_t is_outside = column.is_present(index) && view.length > View::kInlineBytes;
  return buffers[is_outside][is_outside * view.buffer] + is_outside * view.offset;
}

std::size_t length_of(const ViewColumn& column, std::size_t index) {
  return column.is_present(index) ? static_cast<std::size_t>(column.views[index].length) : 0;
}

const std::uint8_t* begin_of(const ScatteredColumn& column, std::size_t index) {
  return reinterpret_cast<const std::uint8_t*>(column.keys[index].data());
}

std::size_t length_of(const ScatteredColumn& column, std::size_t index) { return column.keys[index].size(); }

/// Where memory ends that may be read beyond a key; null if a key may be the last of its memory.
template <typename Column>
const std::uint8_t* end_of(const Column& /*column*/) {
  return nullptr;
}

template <typename Offset>
const std::uint8_t* end_of(const StringColumn<Offset>& column) {
  return column.data + column.offsets.back();
}

/// A bit for each of up to eight keys from `begin` on, set if the key is present.
template <typename Column>
std::uint8_t presence(const Column& column, std::size_t begin, std::size_t count) {
  const std::size_t bit = column.validity.bit_offset + begin;
  const std::uint8_t* bytes = column.validity.bitmap + bit / 8;
  const std::uint32_t next = bit % 8 + count > 8 ? bytes[1] : 0U;
  return static_cast<std::uint8_t>((bytes[0] | (next << 8)) >> (bit % 8));
}

std::uint8_t presence(const ScatteredColumn& column, std::size_t begin, std::size_t count) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bits |= static_cast<std::uint32_t>(column.is_present(begin + i)) << i;
  }
  return static_cast<std::uint8_t>(bits);
}

template <typename Column>
bool may_miss(const Column& column) {
  return column.validity.bitmap != nullptr;
}

bool may_miss(const ScatteredColumn& column) { return column.may_miss; }

}  // namespace lanes
}  // namespace
}  // namespace polyrank
