#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "polyrank/columns.hpp"

/// Checks of untrusted columns as plain loops, which the compiler turns into the vectors of each level.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

template <typename Offset>
bool are_offsets_ordered(std::span<const Offset> offsets) noexcept {
  using Bits = std::make_unsigned_t<Offset>;
  // Where no offset has its sign bit set, a difference has it exactly where the later offset is the smaller one.
  Bits signs = static_cast<Bits>(offsets[0]);
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    const auto offset = static_cast<Bits>(offsets[i]);
    signs |= offset | static_cast<Bits>(offset - static_cast<Bits>(offsets[i - 1]));
  }
  return static_cast<Offset>(signs) >= 0;
}

bool are_views_inline(std::span<const View> views) noexcept {
  std::uint32_t longest = 0;  // a negative length is a long one
  for (const View& view : views) {
    longest = std::max(longest, static_cast<std::uint32_t>(view.length));
  }
  return longest <= View::kInlineBytes;
}

}  // namespace
}  // namespace polyrank
