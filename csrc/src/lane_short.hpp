#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "lane_block.hpp"
#include "lane_hash.hpp"

/// Hashing a block of keys of at most 16 bytes.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

/// Where the words of a full group of keys come from: from keys that can be read to kShort bytes whatever their length,
template <typename Isa, typename Column>
struct FromColumn {
  const Column column;
  std::size_t begin;
  [[gnu::always_inline]] void operator()(std::size_t index, typename Isa::V (&words)[2]) const {
    const auto load = [&](std::size_t lane)
                          __attribute__((always_inline)) { return load_pair(begin_of(column, begin + index + lane)); };
    Isa::gather(load, words);
  }
};

/// from keys that may be read no further than they reach,
template <typename Isa>
struct FromKeys {
  const Block<Isa>& block;
  [[gnu::always_inline]] void operator()(std::size_t index, typename Isa::V (&words)[2]) const {
    const auto load = [&](std::size_t lane) __attribute__((always_inline)) {
      return Isa::load16(block.keys[index + lane], block.lengths[index + lane]);
    };
    Isa::gather(load, words);
  }
};

/// from such keys where a column has them at hand,
template <typename Isa>
struct FromScattered {
  const std::string_view* keys;
  const Block<Isa>& block;
  [[gnu::always_inline]] void operator()(std::size_t index, typename Isa::V (&words)[2]) const {
    const auto load = [&](std::size_t lane) __attribute__((always_inline)) {
      const auto* key = reinterpret_cast<const std::uint8_t*>(keys[index + lane].data());
      return Isa::load16(key, block.lengths[index + lane]);
    };
    Isa::gather(load, words);
  }
};

/// or from views that keys lie in, behind their lengths.
template <typename Isa>
struct FromViews {
  const View* views;
  [[gnu::always_inline]] void operator()(std::size_t index, typename Isa::V (&words)[2]) const {
    typename Isa::V halves[2];
    separate(views + index, halves);
    words[0] = (halves[0] >> 32) | (halves[1] << 32);
    words[1] = halves[1] >> 32;
  }
};

/// A last group that is not full comes from the block's words.
template <typename Isa, typename From>
void last_words(const Block<Isa>& block, const From& /*from*/, std::size_t index, typename Isa::V (&words)[2]) {
  separate(&block.words[index], words);
}

template <typename Isa, int kMaxWords, bool kHalfWord, int kMaxBytes, typename From, typename Target>
void hash_words(const Block<Isa>& block, const From from, const Target target) {
  using V = typename Isa::V;
  const auto hash_group = [&](std::size_t index, std::size_t count, const V(&words)[2]) __attribute__((always_inline)) {
    block.put(target, index, count,
              hash16<kMaxWords, kHalfWord, kMaxBytes>(words, block.length(index), target.seeds(index, count)));
  };
  std::size_t index = 0;
  for (; index + 2 * Isa::kLanes <= block.size; index += 2 * Isa::kLanes) {
    const std::size_t other = index + Isa::kLanes;
    V words[2];
    V others[2];
    from(index, words);
    from(other, others);
    const Twin<V> twins[2] = {{words[0], others[0]}, {words[1], others[1]}};
    const Twin<V> hash = hash16<kMaxWords, kHalfWord, kMaxBytes>(
        twins, twin(block.length(index), block.length(other)),
        twin(target.seeds(index, Isa::kLanes), target.seeds(other, Isa::kLanes)));
    block.put(target, index, Isa::kLanes, hash.a);
    block.put(target, other, Isa::kLanes, hash.b);
  }
  V words[2];
  if (index + Isa::kLanes <= block.size) {
    from(index, words);
    hash_group(index, Isa::kLanes, words);
    index += Isa::kLanes;
  }
  if (index < block.size) {
    last_words(block, from, index, words);
    hash_group(index, block.size - index, words);
  }
}

/// Calls visit with the least of 0 to kMost, as a constant, that is not below `value`.
template <int kMost, int kValue = 0, typename Visit>
void as_constant(int value, const Visit& visit) {
  if constexpr (kValue == kMost) {
    visit(std::integral_constant<int, kMost>{});
  } else if (value <= kValue) {
    visit(std::integral_constant<int, kValue>{});
  } else {
    as_constant<kMost, kValue + 1>(value, visit);
  }
}

/// Picks the steps that the lengths of a block need: a column of one length, or of few, pays only for those.
template <typename Isa, typename From, typename Target>
void hash_short(const Block<Isa>& block, const From& from, const Target& target) {
#ifdef POLYRANK_ONE_SHAPE
  hash_words<Isa, 2, true, 3>(block, from, target);
#else
  const int most_words = static_cast<int>(block.longest / 8);
  const int half_words = static_cast<int>(block.length_bits & 4);
  const int most_bytes = static_cast<int>(block.length_bits & 3);
  as_constant<2>(most_words, [&](auto words) {
    as_constant<1>(half_words, [&](auto has_half_word) {
      as_constant<3>(most_bytes,
                     [&](auto bytes) { hash_words<Isa, words(), has_half_word() != 0, bytes()>(block, from, target); });
    });
  });
#endif
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
