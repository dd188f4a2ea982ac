#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lane_block.hpp"
#include "lane_hash.hpp"
#include "polyrank/xxhash64.hpp"

/// Hashing a block of keys of any length. First the keys that have whole stripes eat them, those of a like number
/// together, so that none waits for a longer one; then all keys, in order, eat what is left: less than a stripe.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

/// What each key of a block starts its end with: its hash after the stripes, before its length.
template <typename Isa>
using Starts = std::array<std::uint64_t, Block<Isa>::kPadded>;

/// The next 32 bytes of each key; load(lane, half) gives 16 of them.
template <typename Isa, typename Load>
[[gnu::always_inline]] inline Words<typename Isa::V> gather_words(const Load& load) {
  typename Isa::V low[2];
  typename Isa::V high[2];
  Isa::gather([&](std::size_t lane) __attribute__((always_inline)) { return load(lane, 0); }, low);
  Isa::gather([&](std::size_t lane) __attribute__((always_inline)) { return load(lane, 1); }, high);
  return {{low[0], low[1], high[0], high[1]}};
}

/// The keys of a block with whole stripes and less than kLong bytes, in the order of how many.
template <typename Isa>
class Striped {
 public:
  static constexpr std::size_t kMost = kLong / kStripe - 1;  ///< stripes

  explicit Striped(const Block<Isa>& block) {
    std::array<std::uint8_t, Block<Isa>::kPadded> stripes;
    std::uint32_t seen = 0;
    for (std::size_t i = 0; i < block.size; ++i) {
      stripes[i] = static_cast<std::uint8_t>(block.lengths[i] / kStripe);
      seen |= 1U << stripes[i];
    }
    std::size_t size = 0;
    for (std::size_t count = 1; count <= kMost; ++count) {
      begin_[count] = size;
      if (((seen >> count) & 1) != 0) {
        size += Isa::find(stripes.data(), block.size, static_cast<std::uint8_t>(count), &indices_[size]);
      }
    }
    begin_[kMost + 1] = size;
    if (size > 0) {  // lanes beyond the last key repeat it
      std::fill_n(indices_.begin() + size, Isa::kLanes, indices_[size - 1]);
    }
    for (std::size_t at = 0; size > 0 && at < size + Isa::kLanes; ++at) {
      keys_[at] = block.keys[indices_[at]];
    }
  }

  [[nodiscard]] std::size_t begin(std::size_t stripes) const { return begin_[stripes]; }
  [[nodiscard]] std::size_t end(std::size_t stripes) const { return begin_[stripes + 1]; }
  [[nodiscard]] std::size_t index(std::size_t at) const { return indices_[at]; }
  [[nodiscard]] const std::uint8_t* key(std::size_t at) const { return keys_[at]; }

 private:
  std::array<std::size_t, kMost + 2> begin_;
  std::array<std::uint16_t, Block<Isa>::kPadded> indices_;
  std::array<const std::uint8_t*, Block<Isa>::kPadded> keys_;
};

template <typename Isa, typename Target>
void eat_stripes(const Striped<Isa>& striped, std::size_t stripes, const Target& target, Starts<Isa>& starts) {
  using V = typename Isa::V;
  for (std::size_t at = striped.begin(stripes); at < striped.end(stripes); at += Isa::kLanes) {
    Stripes<V> accumulators(target.seeds_at([&](std::size_t lane) { return striped.index(at + lane); }));
    for (std::size_t eaten = 0; eaten < stripes * kStripe; eaten += kStripe) {
      accumulators.eat(gather_words<Isa>([&](std::size_t lane, std::size_t half) __attribute__((always_inline)) {
        return load_pair(striped.key(at + lane) + eaten + half * sizeof(Pair));
      }));
    }
    std::array<std::uint64_t, Isa::kLanes> hashes;
    const V hash = accumulators.converge();
    std::memcpy(hashes.data(), &hash, sizeof hash);
    for (std::size_t lane = 0; lane < Isa::kLanes; ++lane) {
      starts[striped.index(at + lane)] = hashes[lane];
      asm("" : : : "memory");  // or GCC scatters, which is slower
    }
  }
}

/// Sets the starts of keys with stripes; those of kLong bytes and more are hashed as a whole.
template <typename Isa, typename Column, typename Target>
void eat_stripes(const Block<Isa>& block, const Column& column, std::size_t begin, const Target& target,
                 Starts<Isa>& starts) {
  const Striped<Isa> striped(block);
  for (std::size_t stripes = 1; stripes <= Striped<Isa>::kMost; ++stripes) {
    eat_stripes(striped, stripes, target, starts);
  }
  for (std::size_t i = 0; block.longest >= kLong && i < block.size; ++i) {
    if (block.lengths[i] >= kLong) {
      starts[i] = xxh64({block.keys[i], length_of(column, begin + i)}, target.seed(i));
    }
  }
}

/// What follows the stripes, of keys that can be read to kStripe bytes behind them, or no further than they reach;
/// `block.keys` is where it begins.
template <bool kCanOverread, typename Isa>
[[gnu::always_inline]] inline Words<typename Isa::V> load_ends(const Block<Isa>& block, std::size_t index,
                                                               std::size_t count) {
  return gather_words<Isa>([&](std::size_t lane, std::size_t half) __attribute__((always_inline)) {
    if constexpr (kCanOverread) {
      return load_pair(block.keys[index + lane] + half * sizeof(Pair));
    } else {
      const std::uint32_t rest = block.lengths[index + lane] % kStripe;
      const auto skipped = std::min(rest, static_cast<std::uint32_t>(half * sizeof(Pair)));
      return lane < count ? Isa::load16(block.keys[index + lane] + skipped, rest - skipped) : Pair{};
    }
  });
}

/// The hash of keys that start with `start`; longest keys are hashed already.
template <typename V, typename Lengths>
[[gnu::always_inline]] inline V finish_keys(V start, const Words<V>& words, Lengths length) {
  return length.has(kLong).pick(start, finish(start + length.widened(), words, length));
}

/// `kCanOverread` speaks of the keys of full pairs of groups.
template <bool kCanOverread, typename Isa, typename Target>
void finish_block(const Block<Isa>& block, const Starts<Isa>& starts, const Target& target) {
  using V = typename Isa::V;
  const auto start_of = [&](std::size_t index) __attribute__((always_inline)) {
    V start;
    std::memcpy(&start, &starts[index], sizeof start);
    return start;
  };
  std::size_t index = 0;
  for (; index + 2 * Isa::kLanes <= block.size; index += 2 * Isa::kLanes) {
    const std::size_t other = index + Isa::kLanes;
    const auto words =
        twin(load_ends<kCanOverread>(block, index, Isa::kLanes), load_ends<kCanOverread>(block, other, Isa::kLanes));
    const auto hash =
        finish_keys(twin(start_of(index), start_of(other)), words, twin(block.length(index), block.length(other)));
    block.put(target, index, Isa::kLanes, hash.a);
    block.put(target, other, Isa::kLanes, hash.b);
  }
  for (; index < block.size; index += Isa::kLanes) {
    const std::size_t count = std::min(Isa::kLanes, block.size - index);
    block.put(target, index, count,
              finish_keys(start_of(index), load_ends<false>(block, index, count), block.length(index)));
  }
}

/// Moves `block.keys` behind the stripes. Returns whether those of all full pairs of groups can be read to kStripe
/// bytes there, up to `end`: keys lie one behind another, so the last of them tells.
template <typename Isa>
bool skip_stripes(Block<Isa>& block, const std::uint8_t* end) {
  for (std::size_t i = 0; i < block.size; ++i) {
    block.keys[i] += block.lengths[i] & ~(kStripe - 1);
  }
  const std::size_t full = block.size - block.size % (2 * Isa::kLanes);
  return end != nullptr && full > 0 && end - block.keys[full - 1] >= static_cast<std::ptrdiff_t>(kStripe);
}

template <typename Isa, typename Column, typename Target>
void hash_long(Block<Isa>& block, const Column& column, std::size_t begin, const Target& target) {
  Starts<Isa> starts;
  each_group<Isa>(block.size, [&](std::size_t index, std::size_t count) __attribute__((always_inline)) {
    const typename Isa::V start = target.seeds(index, count) + kPrime5;
    std::memcpy(&starts[index], &start, sizeof start);
  });
  gather_keys(block, column, begin);
  if (block.longest >= kStripe) {
    eat_stripes(block, column, begin, target, starts);
  }
  if (skip_stripes(block, end_of(column))) {
    finish_block<true>(block, starts, target);
  } else {
    finish_block<false>(block, starts, target);
  }
}

/// Keys of one length, key by key: the processor foresees every branch, and four lanes do not make up for the way
/// there.
template <typename Isa, typename Column, typename Target>
void hash_each(const Block<Isa>& block, const Column& column, std::size_t begin, const Target& target) {
  Starts<Isa> hashes;
  for (std::size_t i = 0; i < block.size; ++i) {
    hashes[i] = xxh64({begin_of(column, begin + i), length_of(column, begin + i)}, target.seed(i));
  }
  each_group<Isa>(block.size, [&](std::size_t index, auto count) __attribute__((always_inline)) {
    typename Isa::V hash;
    std::memcpy(&hash, &hashes[index], sizeof hash);
    block.put(target, index, count, hash);
  });
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
