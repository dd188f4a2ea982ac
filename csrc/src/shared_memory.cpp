#include "polyrank/shared_memory.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "polyrank/columns.hpp"
#include "text_source.hpp"

namespace polyrank {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

// How many bits a row takes in the buffer after the validity, by the first letter of the format.
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 6> kBits{
    {{"b", 1}, {"cC", 8}, {"sSe", 16}, {"iIfuz", 32}, {"lLgUZ", 64}, {"v", 8 * sizeof(View)}}};
constexpr std::uint64_t kMostBits = 256;  // of types that no source reads, decimals have the most

/// Part of a buffer, in bytes from its start.
struct Part {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::uint64_t bits_of_row(std::string_view format, std::int64_t index) {
  if (format[0] == '+') {
    const bool is_union = format.starts_with("+u");
    return index == 0 ? (is_union ? 8 : 1) : format.back() == 'L' ? 64 : 32;
  }
  if (index == 0) {
    return 1;
  }
  if (format.starts_with("w:")) {
    return 8 * fixed_width(format);
  }
  const auto* known = std::find_if(kBits.begin(), kBits.end(),
                                   [&](const auto& kind) { return kind.first.find(format[0]) != kind.first.npos; });
  return known == kBits.end() ? kMostBits : known->second;
}

Part rows_part(std::string_view format, const ArrowArray& array, std::int64_t index) {
  const std::uint64_t bits = bits_of_row(format, index);
  if (bits == 0) {
    return {};  // bytes of no width
  }
  const bool has_offsets = std::string_view("uzUZ+").find(format[0]) != std::string_view::npos;
  const auto begin = static_cast<std::uint64_t>(array.offset);
  const auto end = begin + static_cast<std::uint64_t>(array.length) + (index > 0 && has_offsets ? 1 : 0);
  return end > kMax / bits - 7 ? Part{0, kMax} : Part{begin * bits / 8, (end * bits + 7) / 8};
}

template <typename Offset>
Part text_part(const ArrowArray& array) noexcept {
  Offset last = 0;
  if (array.buffers[1] != nullptr) {
    std::memcpy(&last, static_cast<const Offset*>(array.buffers[1]) + array.offset + array.length, sizeof last);
  }
  return {0, static_cast<std::uint64_t>(std::max<Offset>(last, 0))};
}

// After the bitmap and the views come the data buffers, and last an array of their sizes.
Part view_part(const ArrowArray& array, std::int64_t index) noexcept {
  const std::int64_t last = array.n_buffers - 1;
  const auto* sizes = static_cast<const std::int64_t*>(array.buffers[last]);
  if (index == last) {
    return {0, static_cast<std::uint64_t>(last - 2) * sizeof *sizes};
  }
  std::int64_t size = 0;
  if (sizes != nullptr) {
    std::memcpy(&size, sizes + (index - 2), sizeof size);
  }
  return {0, static_cast<std::uint64_t>(std::max<std::int64_t>(size, 0))};
}

Part part_of(std::string_view format, const ArrowArray& array, std::int64_t index) {
  if (index <= 1 || format[0] == '+') {
    return rows_part(format, array, index);
  }
  if (format == "u" || format == "z") {
    return text_part<std::int32_t>(array);
  }
  if (format == "U" || format == "Z") {
    return text_part<std::int64_t>(array);
  }
  // Nothing tells how long a buffer is that no such format has.
  return format == "vu" || format == "vz" ? view_part(array, index) : Part{0, kMax};
}

bool meets(const void* buffer, Part part, std::span<const std::byte> written) noexcept {
  const std::uint64_t begin = reinterpret_cast<std::uintptr_t>(buffer) + part.begin;
  const std::uint64_t out = reinterpret_cast<std::uintptr_t>(written.data());
  return begin < out ? out - begin < part.end - part.begin : part.begin < part.end && begin - out < written.size();
}

bool lies_at(const void* own, std::string_view format, const ArrowArray& array) noexcept {
  const bool is_number = format == "l" || format == "L" || format == "g";
  return own != nullptr && is_number && static_cast<const std::int64_t*>(array.buffers[1]) + array.offset == own;
}

bool has_shared_buffer(std::string_view format, const ArrowArray& array, std::span<const std::byte> written,
                       const void* own) {
  for (std::int64_t index = 0; array.buffers != nullptr && index < array.n_buffers; ++index) {
    const void* buffer = array.buffers[index];
    const bool is_own = index == 1 && lies_at(own, format, array);
    if (buffer != nullptr && !is_own && meets(buffer, part_of(format, array, index), written)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool shares_memory(const ArrowSchema& schema, const ArrowArray& array, std::span<const std::byte> written,
                   const void* own) {
  const std::string_view format = schema.format == nullptr ? "" : schema.format;
  const bool is_counted = array.offset >= 0 && array.length < std::numeric_limits<std::int64_t>::max() - array.offset;
  if (format.empty() || array.length <= 0 || !is_counted) {
    return false;  // nothing is read
  }
  const bool has_dictionary = schema.dictionary != nullptr && array.dictionary != nullptr;
  if (has_shared_buffer(format, array, written, has_dictionary ? nullptr : own) ||
      (has_dictionary && shares_memory(*schema.dictionary, *array.dictionary, written))) {
    return true;
  }
  const bool has_children = schema.children != nullptr && array.children != nullptr;
  const auto num_children = has_children ? std::min(schema.n_children, array.n_children) : 0;
  for (std::int64_t child = 0; child < num_children; ++child) {
    if (schema.children[child] != nullptr && array.children[child] != nullptr &&
        shares_memory(*schema.children[child], *array.children[child], written)) {
      return true;
    }
  }
  return false;
}

}  // namespace polyrank
