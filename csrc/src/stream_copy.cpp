#include "stream_copy.hpp"

#include <algorithm>
#include <cstddef>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace polyrank {

#ifdef __SSE2__

void stream_copy(std::span<const std::int64_t> from, std::int64_t* to) noexcept {
  constexpr std::size_t kLineBytes = 64;
  constexpr std::size_t kLineWords = kLineBytes / sizeof(std::int64_t);
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(to) % kLineBytes / sizeof(std::int64_t);
  const std::size_t head = std::min(from.size(), (kLineWords - misaligned) % kLineWords);
  to = std::copy_n(from.data(), head, to);
  from = from.subspan(head);
  for (; from.size() >= kLineWords; from = from.subspan(kLineWords), to += kLineWords) {
    for (std::size_t i = 0; i < kLineWords; i += 2) {
      const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from.data() + i));
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), words);
    }
  }
  std::copy(from.begin(), from.end(), to);
}

void end_streaming() noexcept { _mm_sfence(); }

#else

void stream_copy(std::span<const std::int64_t> from, std::int64_t* to) noexcept {
  std::copy(from.begin(), from.end(), to);
}

void end_streaming() noexcept {}

#endif

}  // namespace polyrank
