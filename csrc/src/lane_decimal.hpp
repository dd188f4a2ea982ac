#pragma once

#include <cstdint>
#include <cstring>

#include "lane_block.hpp"
#include "lane_hash.hpp"
#include "lane_short.hpp"

/// Integers to the ASCII of their decimal digits, one in each lane, without branches and without memory.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

constexpr std::uint64_t kMaxWord = 100'000'000;    ///< numbers below have at most the 8 digits that a word holds
constexpr std::uint64_t kMaxTen = 10'000'000'000;  ///< numbers below have at most 10 digits: all those of 32 bits

/// Up to 24 characters a lane, the first in the lowest byte.
template <typename V>
struct Text {
  V word[3];
  V length;
};

/// The 8 digits of numbers below kMaxWord, one a byte, the highest digit in the lowest byte. Each step cuts every field
/// in two: the quotient, by a multiplication with a reciprocal that is exact for what a field can hold, stays in its
/// low half, and the remainder, field - divisor * quotient, goes to its high half.
template <typename V>
[[gnu::always_inline]] inline V digits8(V number) {
  const V high4 = (number * each_lane<V>(109'951'163)) >> 40;
  const V by4 = (number << 32) + high4 * each_lane<V>(1 - (std::uint64_t{10'000} << 32));
  const V high2 = ((by4 * each_lane<V>(5'243)) >> 19) & each_lane<V>(0x0000'007F'0000'007F);
  const V by2 = (by4 << 16) + high2 * each_lane<V>(1 - (std::uint64_t{100} << 16));
  const V high1 = ((by2 * each_lane<V>(103)) >> 10) & each_lane<V>(0x000F'000F'000F'000F);
  return (by2 << 8) + high1 * each_lane<V>(1 - (std::uint64_t{10} << 8));
}

/// The same of numbers below 100, in two steps fewer.
template <typename V>
[[gnu::always_inline]] inline V digits2(V number) {
  const V high1 = (number * each_lane<V>(103)) >> 10;
  return (number << 56) + high1 * each_lane<V>((std::uint64_t{1} << 48) - (std::uint64_t{10} << 56));
}

/// How many of the 8 digits lead as zeros; 7 where all are.
template <typename V>
[[gnu::always_inline]] inline V leading_zeros(V digits) {
  const V ones = each_lane<V>(0x0101'0101'0101'0101);
  // Bit 0 of each byte says whether it is a digit to keep; the last one always is.
  const V is_kept =
      (((digits + each_lane<V>(0x7F7F'7F7F'7F7F'7F7F)) >> 7) & ones) | each_lane<V>(std::uint64_t{1} << 56);
  const V below_first = (is_kept & (V{} - is_kept)) - each_lane<V>(1);
  return ((below_first & ones) * ones) >> 56;
}

template <typename V>
[[gnu::always_inline]] inline V ascii(V digits) {
  return digits | each_lane<V>(0x3030'3030'3030'3030);
}

/// Text of numbers below kMaxWord: at most one word.
template <typename V>
[[gnu::always_inline]] inline Text<V> text_of_small(V number) {
  const V digits = digits8(number);
  const V zeros = leading_zeros(digits);
  return {{ascii(digits) >> (zeros * 8), V{}, V{}}, 8 - zeros};
}

/// number / kMaxWord and the remainder, for numbers up to 2^63. The reciprocal is so little too small that the double's
/// quotient is never above the true one and at most one below, which the remainder then mends.
template <typename V>
[[gnu::always_inline]] inline void divide(V number, V& quotient, V& remainder) {
  using Doubles [[gnu::vector_size(sizeof(V))]] = double;
  constexpr double kReciprocal = (1.0 - 0x1p-50) / kMaxWord;
  const V max_word = each_lane<V>(kMaxWord);
  quotient = __builtin_convertvector(__builtin_convertvector(number, Doubles) * kReciprocal, V);
  remainder = number - quotient * max_word;
  const auto is_below = remainder >= max_word;
  quotient = is_below ? quotient + 1 : quotient;
  remainder = is_below ? remainder - max_word : remainder;
}

/// Text of at most two words: of a number's digits above the eighth, and of its last eight.
template <typename V>
[[gnu::always_inline]] inline Text<V> text_of_two(V high, V low) {
  const auto has_two = high != 0;
  const V first = has_two ? high : low;
  const V zeros = leading_zeros(first);
  const V second = ascii(low);
  const V bits = zeros << 3;
  return {{(ascii(first) >> bits) | ((second << 1) << (63 - bits)), second >> bits, V{}},
          (has_two ? each_lane<V>(16) : each_lane<V>(8)) - zeros};
}

/// Text of numbers below kMaxTen: at most two words.
template <typename V>
[[gnu::always_inline]] inline Text<V> text_of_ten(V number) {
  // kMaxWord is 2^8 * 390,625, and the reciprocal of 390,625 is exact for what is left of the number.
  const V high = ((number >> 8) * each_lane<V>(720'575'941)) >> 48;
  return text_of_two(digits2(high), digits8(number - high * each_lane<V>(kMaxWord)));
}

/// Text of numbers below kMaxWord * kMaxWord: at most two words.
template <typename V>
[[gnu::always_inline]] inline Text<V> text_of_medium(V number) {
  V high;
  V low;
  divide(number, high, low);
  return text_of_two(digits8(high), digits8(low));
}

/// Moves text down by `bytes`, 0 to 7.
template <typename V>
[[gnu::always_inline]] inline void drop(V (&word)[3], V bytes) {
  const V bits = bytes * 8;
  word[0] = (word[0] >> bits) | ((word[1] << 1) << (63 - bits));
  word[1] = (word[1] >> bits) | ((word[2] << 1) << (63 - bits));
  word[2] >>= bits;
}

/// Text of any int64, given as its two's complement.
template <typename V>
[[gnu::always_inline]] inline Text<V> text_of(V number) {
  const auto is_negative = (number >> 63) != 0;
  V high, middle, low, rest;
  divide(is_negative ? V{} - number : number, rest, low);
  divide(rest, high, middle);
  const V digits[3] = {digits8(high), digits8(middle), digits8(low)};
  const auto has_three = high != 0;
  const auto has_two = rest != 0;
  const V first = has_three ? digits[0] : has_two ? digits[1] : digits[2];
  const V zeros = leading_zeros(first);
  Text<V> text{{ascii(first), has_three ? ascii(digits[1]) : ascii(digits[2]), ascii(digits[2])},
               (has_three ? V{} + 24
                : has_two ? V{} + 16
                          : V{} + 8) -
                   zeros};
  drop(text.word, zeros);
  const V shifted[3] = {(text.word[0] << 8) | '-', (text.word[1] << 8) | (text.word[0] >> 56),
                        (text.word[2] << 8) | (text.word[1] >> 56)};
  for (int i = 0; i < 3; ++i) {
    text.word[i] = is_negative ? shifted[i] : text.word[i];
  }
  text.length = is_negative ? text.length + 1 : text.length;
  return text;
}

/// The text of a block's numbers, a vector for each group of them.
template <typename Isa>
struct Texts {
  typename Isa::V word[3][Block<Isa>::kPadded / Isa::kLanes];
};

template <typename Isa>
struct FromTexts {
  const Texts<Isa>& texts;
  [[gnu::always_inline]] void operator()(std::size_t index, typename Isa::V (&words)[2]) const {
    words[0] = texts.word[0][index / Isa::kLanes];
    words[1] = texts.word[1][index / Isa::kLanes];
  }
};

/// Texts are whole vectors, the last one too.
template <typename Isa>
void last_words(const Block<Isa>& /*block*/, const FromTexts<Isa>& from, std::size_t index,
                typename Isa::V (&words)[2]) {
  from(index, words);
}

/// Writes the first kNumWords words of the text of a block's numbers, and its lengths.
template <int kNumWords, typename Isa, typename Format>
void format(Block<Isa>& block, Texts<Isa>& texts, const std::int64_t* numbers, const Format& text_of_number) {
  using V = typename Isa::V;
  V bits{};
  each_group<Isa>(block.size, [&](std::size_t index, auto count) __attribute__((always_inline)) {
    V number{};
    std::memcpy(&number, numbers + index, count * sizeof(std::uint64_t));
    const Text<V> text = text_of_number(number);
    for (int i = 0; i < kNumWords; ++i) {
      texts.word[i][index / Isa::kLanes] = text.word[i];
    }
    block.set_lengths(index, text.length);
    bits |= text.length;
  });
  block.length_bits = 0;
  for (std::size_t lane = 0; lane < Isa::kLanes; ++lane) {
    block.length_bits |= static_cast<std::uint32_t>(bits[lane]);
  }
  block.longest = std::min(block.length_bits, std::uint32_t{8 * kNumWords});
}

/// Hashes a block of integers as their decimal text.
template <typename Isa, typename Target>
void hash_decimals(Block<Isa>& block, const std::int64_t* numbers, const Target& target) {
  using V = typename Isa::V;
  Texts<Isa> texts;
  std::uint64_t largest = 0;  // a negative number is a large one
  for (std::size_t i = 0; i < block.size; ++i) {
    largest = std::max(largest, static_cast<std::uint64_t>(numbers[i]));
  }
  if (largest < kMaxWord) {
    format<2>(block, texts, numbers, [](V number) __attribute__((always_inline)) { return text_of_small(number); });
  } else if (largest < kMaxTen) {
    format<2>(block, texts, numbers, [](V number) __attribute__((always_inline)) { return text_of_ten(number); });
  } else if (largest < kMaxWord * kMaxWord) {
    format<2>(block, texts, numbers, [](V number) __attribute__((always_inline)) { return text_of_medium(number); });
  } else {
    format<3>(block, texts, numbers, [](V number) __attribute__((always_inline)) { return text_of(number); });
  }
  if (block.is_short()) {
    hash_short(block, FromTexts<Isa>{texts}, target);
    return;
  }
  const auto words_of = [&](std::size_t index) __attribute__((always_inline)) {
    const std::size_t group = index / Isa::kLanes;
    return Words<V>{{texts.word[0][group], texts.word[1][group], texts.word[2][group], V{}}};
  };
  const auto hash_groups = [](auto seeds, const auto& words, auto length) __attribute__((always_inline)) {
    return finish<2>(seeds + each_lane<V>(kPrime5) + length.widened(), words, length);
  };
  std::size_t index = 0;
  for (; index + 2 * Isa::kLanes <= block.size; index += 2 * Isa::kLanes) {
    const std::size_t other = index + Isa::kLanes;
    const auto hash =
        hash_groups(twin(target.seeds(index, Isa::kLanes), target.seeds(other, Isa::kLanes)),
                    twin(words_of(index), words_of(other)), twin(block.length(index), block.length(other)));
    block.put(target, index, Isa::kLanes, hash.a);
    block.put(target, other, Isa::kLanes, hash.b);
  }
  for (; index < block.size; index += Isa::kLanes) {
    const std::size_t count = std::min(Isa::kLanes, block.size - index);
    block.put(target, index, count, hash_groups(target.seeds(index, count), words_of(index), block.length(index)));
  }
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
