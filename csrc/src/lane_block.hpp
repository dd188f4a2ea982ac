#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "lane_columns.hpp"
#include "lane_hash.hpp"

/// Keys on their way through the lanes: a block of them is measured, gathered into words, and hashed, each in a simple
/// loop of its own over scratch that stays in the L1 cache. `Isa` is what a level adds to plain C++: the vector `V` of
/// kLanes words, and loads of keys.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

// Many enough for full groups of every class of lengths, few enough that a block's arithmetic overlaps with the memory
// of the next: of 64 to 1,024 keys, 128 to 192 were the fastest on one AMD EPYC (Zen 4) core.
constexpr std::size_t kBlock = 160;
constexpr std::uint32_t kShort = 16;   ///< bytes that two words hold
constexpr std::uint32_t kStripe = 32;  ///< bytes
constexpr std::uint32_t kLong = 256;   ///< bytes; a key with as many keeps a core busy by itself

/// Calls visit(index, count) for each vector's worth of indices below size; all counts but the last are constants.
template <typename Isa, typename Visit>
[[gnu::always_inline]] inline void each_group(std::size_t size, const Visit& visit) {
  std::size_t index = 0;
  for (; index + Isa::kLanes <= size; index += Isa::kLanes) {
    visit(index, std::integral_constant<std::size_t, Isa::kLanes>{});
  }
  if (index < size) {
    visit(index, size - index);
  }
}

/// 16 bytes.
using Pair [[gnu::vector_size(16)]] = std::uint64_t;

[[gnu::always_inline]] inline Pair load_pair(const std::uint8_t* from) {
  Pair pair;
  std::memcpy(&pair, from, sizeof pair);
  return pair;
}

/// Up to kBlock keys.
template <typename Isa>
struct Block {
  using V = typename Isa::V;
  static constexpr std::size_t kPadded = kBlock + 16;  // the last vector's worth may reach beyond the keys

  std::size_t size;
  std::uint32_t longest;                         ///< no key has more bytes, counting up to kLong
  std::uint32_t length_bits;                     ///< every bit that some length has
  bool may_miss;                                 ///< else `present` is not set
  std::array<std::uint32_t, kPadded> lengths;    ///< at most kLong
  std::array<std::uint8_t, kBlock / 8> present;  ///< a bit for each key
  std::array<const std::uint8_t*, kBlock> keys;  ///< where they begin, for some ways to hash them
  alignas(64) std::array<Pair, kPadded> words;   ///< of short keys, for some ways; then anything

  [[nodiscard]] bool is_short() const { return longest <= kShort; }

  [[nodiscard]] bool is_uniform() const {
    return std::all_of(&lengths[0], &lengths[size], [this](std::uint32_t length) { return length == lengths[0]; });
  }

  [[nodiscard]] typename Isa::Lengths length(std::size_t index) const { return Isa::lengths(&lengths[index]); }

  void set_lengths(std::size_t index, V values) {
    using Halves [[gnu::vector_size(sizeof(V) / 2)]] = std::uint32_t;
    const Halves halves = __builtin_convertvector(values, Halves);
    std::memcpy(lengths.data() + index, &halves, sizeof halves);
  }

  /// Not zero in the lanes of keys that are present, from `index` on.
  [[nodiscard]] V is_present(std::size_t index) const {
    V lane_bit;
    for (std::size_t lane = 0; lane < Isa::kLanes; ++lane) {
      lane_bit[lane] = std::uint64_t{1} << lane;
    }
    return lane_bit & (V{} + (std::uint64_t{present[index / 8]} >> (index % 8)));
  }

  template <typename Target>
  [[gnu::always_inline]] void put(const Target& target, std::size_t index, std::size_t count, V hash) const {
    if (may_miss) {
      target.put(index, count, hash, is_present(index));
    } else {
      target.put(index, count, hash);
    }
  }
};

template <typename Isa, typename Column>
void note_presence(Block<Isa>& block, const Column& column, std::size_t begin) {
  block.may_miss = may_miss(column);
  for (std::size_t i = 0; block.may_miss && i < block.size; i += 8) {
    block.present[i / 8] = presence(column, begin + i, std::min<std::size_t>(8, block.size - i));
  }
}

template <typename Isa, typename Column>
void measure(Block<Isa>& block, const Column column, std::size_t begin) {
  using Length = decltype(length_of(column, begin));
  std::uint32_t longest = 0;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < block.size; ++i) {
    const auto length = static_cast<std::uint32_t>(std::min(length_of(column, begin + i), Length{kLong}));
    block.lengths[i] = length;
    longest = std::max(longest, length);
    bits |= length;
  }
  block.longest = longest;
  block.length_bits = bits;
}

/// Puts the keys of a last group that is not full into `words`.
template <typename Isa, typename Column>
void gather_last(Block<Isa>& block, const Column& column, std::size_t begin) {
  for (std::size_t i = block.size - block.size % Isa::kLanes; i < block.size; ++i) {
    block.words[i] = Isa::load16(begin_of(column, begin + i), block.lengths[i]);
  }
}

template <typename Isa, typename Column>
void gather_keys(Block<Isa>& block, const Column& column, std::size_t begin) {
  for (std::size_t i = 0; i < block.size; ++i) {
    block.keys[i] = begin_of(column, begin + i);
  }
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
