#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "lane_block.hpp"
#include "lane_hash.hpp"
#include "polyrank/xxhash64.hpp"

/// Hashing a block of keys of any length. Keys of a like number of stripes go through the lanes together, so that none
/// waits for a longer one.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

/// The keys of a block in the order in which they are hashed, class by class.
template <typename Isa>
class Sorted {
 public:
  static constexpr std::size_t kBeyond = 2 * Isa::kLanes;  // lanes beyond the last key repeat it
  static constexpr std::size_t kShortClass = 0;
  static constexpr std::size_t kNoStripe = 1;
  static constexpr std::size_t kLongClass = kNoStripe + kLong / kStripe;

  /// `key_of(index)` is where a key begins; memory may be read up to `end` if it is not null.
  template <typename KeyOf>
  Sorted(const Block<Isa>& block, const KeyOf& key_of, const std::uint8_t* end) : end_(end) {
    std::array<std::uint8_t, Block<Isa>::kPadded> classes;
    std::uint32_t seen = 0;
    for (std::size_t i = 0; i < block.size; ++i) {
      const std::uint32_t length = block.lengths[i];
      classes[i] = static_cast<std::uint8_t>(length <= kShort ? kShortClass : kNoStripe + length / kStripe);
      seen |= 1U << classes[i];
    }
    std::size_t size = 0;
    for (std::size_t queue = 0; queue <= kLongClass; ++queue) {
      begin_[queue] = size;
      if (((seen >> queue) & 1) != 0) {
        size += Isa::find(classes.data(), block.size, static_cast<std::uint8_t>(queue), &indices_[size]);
      }
    }
    begin_[kLongClass + 1] = size;
    std::fill_n(indices_.begin() + size, kBeyond, indices_[size - 1]);
    for (std::size_t at = 0; at < size + kBeyond; ++at) {
      lengths_[at] = block.lengths[indices_[at]];
      keys_[at] = key_of(indices_[at]);
    }
  }

  [[nodiscard]] std::size_t begin(std::size_t queue) const { return begin_[queue]; }
  [[nodiscard]] std::size_t end(std::size_t queue) const { return begin_[queue + 1]; }
  [[nodiscard]] std::size_t index(std::size_t at) const { return indices_[at]; }
  [[nodiscard]] std::uint32_t length(std::size_t at) const { return lengths_[at]; }
  [[nodiscard]] typename Isa::Lengths lengths(std::size_t at) const { return Isa::lengths(&lengths_[at]); }
  [[nodiscard]] const std::uint8_t* key(std::size_t at) const { return keys_[at]; }

  /// The key's bytes from `begin` on, up to 16 or 32 of them; what lies beyond its end may be anything.
  [[nodiscard]] Pair load16(std::size_t at) const {
    return has(at, 0, sizeof(Pair)) ? loaded<Pair>(keys_[at]) : Isa::load16(keys_[at], lengths_[at]);
  }
  [[nodiscard]] Quad load32(std::size_t at, std::uint32_t begin) const {
    return has(at, begin, sizeof(Quad)) ? loaded<Quad>(keys_[at] + begin)
                                        : Isa::load32(keys_[at] + begin, lengths_[at] - begin);
  }

 private:
  [[nodiscard]] bool has(std::size_t at, std::size_t begin, std::size_t size) const {
    return end_ != nullptr && end_ - keys_[at] >= static_cast<std::ptrdiff_t>(begin + size);
  }

  template <typename Words>
  static Words loaded(const std::uint8_t* from) {
    Words words;
    std::memcpy(&words, from, sizeof words);
    return words;
  }

  const std::uint8_t* end_;
  std::array<std::size_t, kLongClass + 2> begin_;
  std::array<std::uint16_t, Block<Isa>::kPadded> indices_;
  std::array<std::uint32_t, Block<Isa>::kPadded> lengths_;
  std::array<const std::uint8_t*, Block<Isa>::kPadded> keys_;
};

/// The next 32 bytes of each key after `done`, nothing read beyond its length.
template <typename Isa, typename Done>
[[gnu::always_inline]] inline Words<typename Isa::V> load_words(const Sorted<Isa>& sorted, std::size_t at,
                                                                const Done& done) {
  const auto load = [&](std::size_t lane) __attribute__((always_inline)) {
    return sorted.load32(at + lane, done(sorted.length(at + lane)));
  };
  typename Isa::V row[4];
  for (std::size_t i = 0; i < 4; ++i) {
    if constexpr (Isa::kLanes == 8) {
      row[i] = __builtin_shufflevector(load(i), load(i + 4), 0, 1, 2, 3, 4, 5, 6, 7);
    } else {
      row[i] = load(i);
    }
  }
  return transposed(row);
}

/// Hashes of a block in the order of the sorted keys. Each class writes whole vectors, the last beyond its end: what
/// that spoils is written later.
template <typename Isa>
using Hashes = std::array<std::uint64_t, Block<Isa>::kPadded>;

template <typename Isa, typename Target>
[[gnu::always_inline]] inline typename Isa::V seeds_at(const Sorted<Isa>& sorted, const Target& target,
                                                       std::size_t at) {
  return target.seeds_at([&](std::size_t lane) { return sorted.index(at + lane); });
}

template <typename Isa, typename Target>
void hash_pairs(const Sorted<Isa>& sorted, const Target& target, Hashes<Isa>& hashes) {
  using V = typename Isa::V;
  const std::size_t size = sorted.end(sorted.kShortClass);
  alignas(64) std::array<Pair, Block<Isa>::kPadded> pairs;
  for (std::size_t at = 0; at < size; ++at) {
    pairs[at] = sorted.load16(at);
  }
  for (std::size_t at = 0; at < size; at += 2 * Isa::kLanes) {
    const std::size_t other = at + Isa::kLanes;
    V words[2];
    V others[2];
    separate(&pairs[at], words);
    separate(&pairs[other], others);
    const Twin<V> twins[2] = {{words[0], others[0]}, {words[1], others[1]}};
    const auto hash = hash16<2, true, 3>(twins, twin(sorted.lengths(at), sorted.lengths(other)),
                                         twin(seeds_at(sorted, target, at), seeds_at(sorted, target, other)));
    std::memcpy(&hashes[at], &hash, sizeof hash);
  }
}

template <typename Isa, typename Target>
void hash_stripes(const Sorted<Isa>& sorted, std::size_t stripes, const Target& target, Hashes<Isa>& hashes) {
  using V = typename Isa::V;
  const std::size_t queue = sorted.kNoStripe + stripes;
  for (std::size_t at = sorted.begin(queue); at < sorted.end(queue); at += Isa::kLanes) {
    const V seeds = seeds_at(sorted, target, at);
    V hash = seeds + kPrime5;
    if (stripes > 0) {
      Stripes<V> accumulators(seeds);
      for (std::uint32_t eaten = 0; eaten < stripes * kStripe; eaten += kStripe) {
        accumulators.eat(load_words(sorted, at, [&](std::uint32_t) __attribute__((always_inline)) { return eaten; }));
      }
      hash = accumulators.converge();
    }
    std::memcpy(&hashes[at], &hash, sizeof hash);
  }
}

/// What follows the stripes, for keys of more than kShort and less than kLong bytes.
template <typename Isa>
void finish_stripes(const Sorted<Isa>& sorted, Hashes<Isa>& hashes) {
  using V = typename Isa::V;
  const auto after_stripes = [](std::uint32_t length)
                                 __attribute__((always_inline)) { return length & ~(kStripe - 1); };
  for (std::size_t at = sorted.begin(sorted.kNoStripe); at < sorted.begin(sorted.kLongClass); at += 2 * Isa::kLanes) {
    const std::size_t other = at + Isa::kLanes;
    const auto words = load_words(sorted, at, after_stripes);
    const auto others = load_words(sorted, other, after_stripes);
    Twin<V> hash;
    std::memcpy(&hash, &hashes[at], sizeof hash);
    const auto length = twin(sorted.lengths(at), sorted.lengths(other));
    hash = finish(hash + length.widened(), twin(words, others), length);
    std::memcpy(&hashes[at], &hash, sizeof hash);
  }
}

template <typename Isa, typename Target>
void put_in_order(const Block<Isa>& block, const Hashes<Isa>& hashes, const Target& target) {
  each_group<Isa>(block.size, [&](std::size_t index, auto count) __attribute__((always_inline)) {
    typename Isa::V hash;
    std::memcpy(&hash, &hashes[index], sizeof hash);
    block.put(target, index, count, hash);
  });
}

template <typename Isa, typename Column, typename Target>
void hash_long(const Block<Isa>& block, const Column& column, std::size_t begin, const Target& target) {
  const Sorted<Isa> sorted(block, [&](std::size_t index) { return begin_of(column, begin + index); }, end_of(column));
  Hashes<Isa> hashes;
  hash_pairs(sorted, target, hashes);
  for (std::size_t stripes = 0; stripes < kLong / kStripe; ++stripes) {
    hash_stripes(sorted, stripes, target, hashes);
  }
  finish_stripes(sorted, hashes);
  for (std::size_t at = sorted.begin(sorted.kLongClass); at < sorted.end(sorted.kLongClass); ++at) {
    const std::size_t index = sorted.index(at);
    hashes[at] = xxh64({sorted.key(at), length_of(column, begin + index)}, target.seed(index));
  }
  Hashes<Isa> in_order;
  for (std::size_t at = 0; at < block.size; ++at) {
    in_order[sorted.index(at)] = hashes[at];
  }
  put_in_order(block, in_order, target);
}

/// Keys of one length, key by key: the processor foresees every branch, and four lanes do not make up for the way
/// there.
template <typename Isa, typename Column, typename Target>
void hash_each(const Block<Isa>& block, const Column& column, std::size_t begin, const Target& target) {
  Hashes<Isa> hashes;
  for (std::size_t i = 0; i < block.size; ++i) {
    hashes[i] = xxh64({begin_of(column, begin + i), length_of(column, begin + i)}, target.seed(i));
  }
  put_in_order(block, hashes, target);
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
