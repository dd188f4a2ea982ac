// Compiled with AVX2 and BMI2; run only where levels.cpp finds them.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lane_level.hpp"
#include "level_instances.hpp"

namespace polyrank {
namespace {

struct Avx2 {
  static constexpr std::size_t kLanes = 4;
  static constexpr const char* kName = "avx2";
  using V [[gnu::vector_size(32)]] = std::uint64_t;

  struct Mask {
    V bits;
    [[gnu::always_inline]] V pick(V then, V otherwise) const { return bits != 0 ? then : otherwise; }
  };

  struct Lengths {
    V lanes;
    [[gnu::always_inline]] V widened() const { return lanes; }
    [[gnu::always_inline]] Mask has(std::uint32_t bits) const { return {lanes & bits}; }
    [[gnu::always_inline]] Mask has_all(std::uint32_t bits) const { return {(lanes & bits) == bits}; }
  };

  static Lengths lengths(const std::uint32_t* numbers) {
    return {reinterpret_cast<V>(_mm256_cvtepu32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers))))};
  }

  /// Writes the indices at which classes[index] is `wanted`, and one more of no meaning; returns how many.
  static std::size_t find(const std::uint8_t* classes, std::size_t size, std::uint8_t wanted, std::uint16_t* indices) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < size; ++i) {
      indices[found] = static_cast<std::uint16_t>(i);
      found += classes[i] == wanted;
    }
    return found;
  }

  /// The words of the pairs that load(lane) gives.
  template <typename Load>
  [[gnu::always_inline]] static void gather(const Load& load, V (&words)[2]) {
    const V even = __builtin_shufflevector(load(0), load(2), 0, 1, 2, 3);
    const V odd = __builtin_shufflevector(load(1), load(3), 0, 1, 2, 3);
    words[0] = __builtin_shufflevector(even, odd, 0, 4, 2, 6);
    words[1] = __builtin_shufflevector(even, odd, 1, 5, 3, 7);
  }

  // Nothing beyond the length is read: there are no masked loads of bytes before AVX-512, so two loads overlap.
  static lanes::Pair load16(const std::uint8_t* key, std::uint32_t length) {
    if (length >= 16) {
      return load<lanes::Pair>(key);
    }
    if (length >= 8) {
      return lanes::Pair{load<std::uint64_t>(key), load<std::uint64_t>(key + length - 8) >> (8 * (16 - length) % 64)};
    }
    return lanes::Pair{load8(key, length), 0};
  }

 private:
  template <typename T>
  static T load(const std::uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }

  static std::uint64_t load8(const std::uint8_t* key, std::uint32_t length) {
    if (length >= 4) {
      const std::uint64_t high = load<std::uint32_t>(key + length - 4);
      return load<std::uint32_t>(key) | (high << (8 * (length - 4)));
    }
    if (length == 0) {
      return 0;
    }
    const std::uint64_t middle = key[length / 2];
    const std::uint64_t last = key[length - 1];
    return key[0] | (middle << (8 * (length / 2))) | (last << (8 * (length - 1)));
  }
};

}  // namespace

const Level& avx2_level() noexcept {
  static const lanes::LaneLevel<Avx2> level;
  return level;
}

}  // namespace polyrank
