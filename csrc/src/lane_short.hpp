#pragma once

#include <cstddef>
#include <cstdint>

#include "lane_block.hpp"
#include "lane_hash.hpp"

/// Hashing a block of keys of at most 16 bytes.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

template <typename Isa, int kMaxWords, bool kHalfWord, int kMaxBytes, typename Target>
void hash_words(const Block<Isa>& block, const Target target) {
  each_group<Isa>(block.size, [&](std::size_t index, auto count) __attribute__((always_inline)) {
    typename Isa::V words[2];
    separate(&block.words[index], words);
    block.put(target, index, count,
              hash16<kMaxWords, kHalfWord, kMaxBytes>(words, block.length(index), target.seeds(index, count)));
  });
}

/// Picks the steps that the lengths of a block need: a column of one length, or of few, pays only for those.
template <typename Isa, typename Target>
void hash_short(const Block<Isa>& block, const Target& target) {
  using Hash = void (*)(const Block<Isa>&, Target);
  static constexpr Hash kHashes[3][2][4] = {
      {{hash_words<Isa, 0, false, 0, Target>, hash_words<Isa, 0, false, 1, Target>,
        hash_words<Isa, 0, false, 2, Target>, hash_words<Isa, 0, false, 3, Target>},
       {hash_words<Isa, 0, true, 0, Target>, hash_words<Isa, 0, true, 1, Target>, hash_words<Isa, 0, true, 2, Target>,
        hash_words<Isa, 0, true, 3, Target>}},
      {{hash_words<Isa, 1, false, 0, Target>, hash_words<Isa, 1, false, 1, Target>,
        hash_words<Isa, 1, false, 2, Target>, hash_words<Isa, 1, false, 3, Target>},
       {hash_words<Isa, 1, true, 0, Target>, hash_words<Isa, 1, true, 1, Target>, hash_words<Isa, 1, true, 2, Target>,
        hash_words<Isa, 1, true, 3, Target>}},
      {{hash_words<Isa, 2, false, 0, Target>, hash_words<Isa, 2, false, 1, Target>,
        hash_words<Isa, 2, false, 2, Target>, hash_words<Isa, 2, false, 3, Target>},
       {hash_words<Isa, 2, true, 0, Target>, hash_words<Isa, 2, true, 1, Target>, hash_words<Isa, 2, true, 2, Target>,
        hash_words<Isa, 2, true, 3, Target>}}};
  const std::uint32_t seen = block.lengths_seen;
  const auto has_bytes = [&](std::uint32_t lengths) { return (seen & lengths) != 0; };  // lengths modulo 4
  const int words = (seen >> 16) != 0 ? 2 : (seen >> 8) != 0 ? 1 : 0;
  const int bytes = has_bytes(0x8888) ? 3 : has_bytes(0x4444) ? 2 : has_bytes(0x2222) ? 1 : 0;
  kHashes[words][has_bytes(0xF0F0) ? 1 : 0][bytes](block, target);
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
