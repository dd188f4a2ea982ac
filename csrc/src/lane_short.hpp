#pragma once

#include <cstddef>
#include <cstdint>

#include "lane_block.hpp"
#include "lane_hash.hpp"

/// Hashing a block of keys of at most 16 bytes.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

/// Where the words of a group of keys come from: gathered before, or from keys that can be read to kShort bytes.
template <typename Isa>
struct FromWords {
  const Block<Isa>& block;
  [[gnu::always_inline]] void operator()(std::size_t index, typename Isa::V (&words)[2]) const {
    separate(&block.words[index], words);
  }
};
template <typename Isa, typename Column>
struct FromColumn {
  const Column column;
  std::size_t begin;
  [[gnu::always_inline]] void operator()(std::size_t index, typename Isa::V (&words)[2]) const {
    Isa::load16s(
        [&](std::size_t lane) __attribute__((always_inline)) { return begin_of(column, begin + index + lane); }, words);
  }
};

template <typename Isa, int kMaxWords, bool kHalfWord, int kMaxBytes, typename From, typename Target>
void hash_words(const Block<Isa>& block, const From from, const Target target) {
  using V = typename Isa::V;
  constexpr std::size_t kTwins = 2 * Isa::kLanes;
  std::size_t index = 0;
  for (; index + kTwins <= block.size; index += kTwins) {
    const std::size_t other = index + Isa::kLanes;
    V words[2];
    V others[2];
    from(index, words);
    from(other, others);
    const Twin<V> twins[2] = {{words[0], others[0]}, {words[1], others[1]}};
    const Twin<V> hash = hash16<kMaxWords, kHalfWord, kMaxBytes>(
        twins, Twin<V>{block.length(index), block.length(other)},
        Twin<V>{target.seeds(index, Isa::kLanes), target.seeds(other, Isa::kLanes)});
    block.put(target, index, Isa::kLanes, hash.a);
    block.put(target, other, Isa::kLanes, hash.b);
  }
  for (; index < block.size; index += Isa::kLanes) {
    const std::size_t count = std::min(Isa::kLanes, block.size - index);
    V words[2];
    from(index, words);
    block.put(target, index, count,
              hash16<kMaxWords, kHalfWord, kMaxBytes>(words, block.length(index), target.seeds(index, count)));
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
  const auto has_length = [&](std::uint32_t lengths) { return (block.lengths_seen & lengths) != 0; };
  const int most_words = has_length(0xFFFF'0000) ? 2 : has_length(0xFF00) ? 1 : 0;
  const int half_words = has_length(0xF0F0'F0F0) ? 1 : 0;
  const int most_bytes = has_length(0x8888'8888) ? 3 : has_length(0x4444'4444) ? 2 : has_length(0x2222'2222) ? 1 : 0;
  as_constant<2>(most_words, [&](auto words) {
    as_constant<1>(half_words, [&](auto has_half_word) {
      as_constant<3>(most_bytes,
                     [&](auto bytes) { hash_words<Isa, words(), has_half_word() != 0, bytes()>(block, from, target); });
    });
  });
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
