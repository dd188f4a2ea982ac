// Compiled with AVX-512 F, DQ, BW and VL and with BMI2; run only where levels.cpp finds them.
#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "lane_level.hpp"
#include "level_instances.hpp"

namespace polyrank {
namespace {

struct Avx512 {
  static constexpr std::size_t kLanes = 8;
  static constexpr const char* kName = "avx512";
  using V [[gnu::vector_size(64)]] = std::uint64_t;

  struct Mask {
    __mmask8 lanes;
    [[gnu::always_inline]] V pick(V then, V otherwise) const {
      return reinterpret_cast<V>(
          _mm512_mask_mov_epi64(reinterpret_cast<__m512i>(otherwise), lanes, reinterpret_cast<__m512i>(then)));
    }
  };

  // As 256 bits, which take half the work of 512 to test.
  struct Lengths {
    __m256i lanes;
    [[gnu::always_inline]] V widened() const { return reinterpret_cast<V>(_mm512_cvtepu32_epi64(lanes)); }
    [[gnu::always_inline]] Mask has(std::uint32_t bits) const { return {_mm256_test_epi32_mask(lanes, each(bits))}; }
    [[gnu::always_inline]] Mask has_all(std::uint32_t bits) const {
      const __m256i wanted = each(bits);
      return {_mm256_cmpeq_epi32_mask(_mm256_and_si256(lanes, wanted), wanted)};
    }

   private:
    /// See each_lane of lane_hash.hpp.
    [[gnu::always_inline]] static __m256i each(std::uint32_t bits) {
      __m256i numbers = _mm256_set1_epi32(static_cast<int>(bits));
      asm("" : "+v"(numbers));
      return numbers;
    }
  };

  static Lengths lengths(const std::uint32_t* numbers) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers))};
  }

  /// Writes the indices at which classes[index] is `wanted`, and up to 16 more of no meaning; returns how many.
  static std::size_t find(const std::uint8_t* classes, std::size_t size, std::uint8_t wanted, std::uint16_t* indices) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    std::size_t found = 0;
    for (std::size_t i = 0; i < size; i += 16) {
      const __mmask16 rest =
          static_cast<__mmask16>(_bzhi_u32(0xFFFF, static_cast<unsigned>(std::min<std::size_t>(size - i, 16))));
      const __mmask16 here = _mm_mask_cmpeq_epi8_mask(rest, _mm_maskz_loadu_epi8(rest, classes + i),
                                                      _mm_set1_epi8(static_cast<char>(wanted)));
      const __m512i at =
          _mm512_maskz_compress_epi32(here, _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(i))));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(indices + found), _mm512_cvtepi32_epi16(at));
      found += static_cast<std::size_t>(__builtin_popcount(here));
    }
    return found;
  }

  /// The words of the pairs that load(lane) gives. Even keys side by side, odd keys side by side: unpacking both gives
  /// lanes in order.
  template <typename Load>
  [[gnu::always_inline]] static void gather(const Load& load, V (&words)[2]) {
    const auto pair = [&](std::size_t lane)
                          __attribute__((always_inline)) { return reinterpret_cast<__m128i>(load(lane)); };
    const auto every_second = [&](std::size_t lane) __attribute__((always_inline)) {
      const __m256i low = _mm256_set_m128i(pair(lane + 2), pair(lane));
      const __m256i high = _mm256_set_m128i(pair(lane + 6), pair(lane + 4));
      return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    };
    const __m512i even = every_second(0);
    const __m512i odd = every_second(1);
    words[0] = reinterpret_cast<V>(_mm512_unpacklo_epi64(even, odd));
    words[1] = reinterpret_cast<V>(_mm512_unpackhi_epi64(even, odd));
  }

  // A masked load: nothing beyond the length is read, and what is not read is 0.
  static lanes::Pair load16(const std::uint8_t* key, std::uint32_t length) {
    return reinterpret_cast<lanes::Pair>(_mm_maskz_loadu_epi8(static_cast<__mmask16>(_bzhi_u32(0xFFFF, length)), key));
  }
};

}  // namespace

const Level& avx512_level() noexcept {
  static const lanes::LaneLevel<Avx512> level;
  return level;
}

}  // namespace polyrank
