#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lane_twin.hpp"

/// XXH64 of several keys at once, one in each 64-bit lane of a vector `V` (GCC's and Clang's vector extensions). The
/// steps are those of xxhash64.cpp; masks pick lane by lane, so that keys of any length share a path.
///
/// The namespace has no name because every level compiles this header with other instructions: a function shared
/// between two of them would run instructions on a processor that lacks them.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces)

namespace lanes {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4F;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5;

/// The same word in every lane. The compiler may not see its value, or it would make it anew in every round of a loop
/// where a register, or a load, serves.
template <typename V>
[[gnu::always_inline]] inline typename Single<V>::Type each_lane(std::uint64_t word) {
  auto lanes = typename Single<V>::Type{} + word;
  asm("" : "+v"(lanes));
  return lanes;
}

template <typename V>
[[gnu::always_inline]] inline V rotl(V word, int bits) {
  return (word << bits) | (word >> (64 - bits));
}

template <typename V>
[[gnu::always_inline]] inline V round(V lane, V word) {
  return rotl(lane + word * each_lane<V>(kPrime2), 31) * each_lane<V>(kPrime1);
}

template <typename V>
[[gnu::always_inline]] inline V eat8(V hash, V word) {
  return rotl(hash ^ round(V{}, word), 27) * each_lane<V>(kPrime1) + each_lane<V>(kPrime4);
}

template <typename V>
[[gnu::always_inline]] inline V eat4(V hash, V half_word) {
  return rotl(hash ^ (half_word * each_lane<V>(kPrime1)), 23) * each_lane<V>(kPrime2) + each_lane<V>(kPrime3);
}

template <typename V>
[[gnu::always_inline]] inline V eat1(V hash, V byte) {
  return rotl(hash ^ (byte * each_lane<V>(kPrime5)), 11) * each_lane<V>(kPrime1);
}

template <typename V>
[[gnu::always_inline]] inline V avalanche(V hash) {
  hash = (hash ^ (hash >> 33)) * each_lane<V>(kPrime2);
  hash = (hash ^ (hash >> 29)) * each_lane<V>(kPrime3);
  return hash ^ (hash >> 32);
}

/// The last step but one, for up to 7 bytes in the low end of `word`; what lies above them is ignored. Callers that
/// know that no length has a half word, or at most kMaxBytes bytes after it, say so and skip those steps.
template <bool kHalfWord = true, int kMaxBytes = 3, typename V, typename Lengths>
[[gnu::always_inline]] inline V eat_end(V hash, V word, Lengths length) {
  if constexpr (kHalfWord) {
    const auto has_half_word = length.has(4);
    hash = has_half_word.pick(eat4(hash, word & each_lane<V>(0xFFFF'FFFF)), hash);
    word = has_half_word.pick(word >> 32, word);
  }
  const auto low_byte = each_lane<V>(0xFF);
  if constexpr (kMaxBytes > 0) {
    hash = length.has(3).pick(eat1(hash, word & low_byte), hash);
  }
  if constexpr (kMaxBytes > 1) {
    hash = length.has(2).pick(eat1(hash, (word >> 8) & low_byte), hash);
  }
  if constexpr (kMaxBytes > 2) {
    hash = length.has_all(3).pick(eat1(hash, (word >> 16) & low_byte), hash);
  }
  return hash;
}

/// Keys of up to 16 bytes, which are `words`; bytes beyond a key's length are ignored. No key has more than kMaxWords
/// whole words.
template <int kMaxWords, bool kHalfWord, int kMaxBytes, typename V, typename Lengths>
[[gnu::always_inline]] inline V hash16(const V (&words)[2], Lengths length, V seed) {
  V hash = seed + each_lane<V>(kPrime5) + length.widened();
  V end = words[0];
  if constexpr (kMaxWords > 0) {
    const auto has_word = length.has(8 | 16);
    hash = has_word.pick(eat8(hash, words[0]), hash);
    end = has_word.pick(words[1], words[0]);
  }
  if constexpr (kMaxWords > 1) {
    hash = length.has(16).pick(eat8(hash, words[1]), hash);
  }
  return avalanche(eat_end<kHalfWord, kMaxBytes>(hash, end, length));
}

/// The first and the second words of as many pairs as there are lanes.
template <typename V>
[[gnu::always_inline]] inline void separate(const void* pairs, V (&words)[2]) {
  V low;
  V high;
  std::memcpy(&low, pairs, sizeof low);
  std::memcpy(&high, static_cast<const char*>(pairs) + sizeof low, sizeof high);
  if constexpr (sizeof(V) == 64) {
    words[0] = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    words[1] = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
  } else {
    words[0] = __builtin_shufflevector(low, high, 0, 2, 4, 6);
    words[1] = __builtin_shufflevector(low, high, 1, 3, 5, 7);
  }
}

/// The four words of each key's next 32 bytes.
template <typename V>
struct Words {
  V word[4];
};

template <typename V>
[[gnu::always_inline]] inline Words<Twin<V>> twin(const Words<V>& a, const Words<V>& b) {
  return {{{a.word[0], b.word[0]}, {a.word[1], b.word[1]}, {a.word[2], b.word[2]}, {a.word[3], b.word[3]}}};
}

/// Steps 2 and 3 of the specification: four accumulators eat whole stripes and converge.
template <typename V>
class Stripes {
 public:
  explicit Stripes(V seed) : lane_{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1} {}

  void eat(const Words<V>& words) {
    for (int i = 0; i < 4; ++i) {
      lane_[i] = round(lane_[i], words.word[i]);
    }
  }

  [[nodiscard]] V converge() const {
    V hash = rotl(lane_[0], 1) + rotl(lane_[1], 7) + rotl(lane_[2], 12) + rotl(lane_[3], 18);
    for (const V& lane : lane_) {
      hash = (hash ^ round(V{}, lane)) * each_lane<V>(kPrime1) + each_lane<V>(kPrime4);
    }
    return hash;
  }

 private:
  V lane_[4];
};

/// What follows the stripes: `length` mod 32 bytes in `words`, of which at most kMaxWords are whole. `hash` has eaten
/// the length already.
template <int kMaxWords = 3, typename V, typename Lengths>
[[gnu::always_inline]] inline V finish(V hash, const Words<V>& words, Lengths length) {
  V end = words.word[0];
  const auto eat = [&](auto has_word, int i) __attribute__((always_inline)) {
    hash = has_word.pick(eat8(hash, words.word[i]), hash);
    end = has_word.pick(words.word[i + 1], end);
  };
  eat(length.has(8 | 16), 0);
  eat(length.has(16), 1);
  if constexpr (kMaxWords > 2) {
    eat(length.has_all(8 | 16), 2);
  }
  return avalanche(eat_end(hash, end, length));
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
