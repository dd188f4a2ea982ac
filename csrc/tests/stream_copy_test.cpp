#include "../src/stream_copy.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace polyrank {
namespace {

TEST(StreamCopy, EveryLengthFromEveryWordOfACacheLine) {
  std::array<std::int64_t, 40> from;
  std::iota(from.begin(), from.end(), 1);
  for (std::size_t start = 0; start < 8; ++start) {
    for (std::size_t size = 0; size <= from.size(); ++size) {
      alignas(64) std::array<std::int64_t, 64> to{};
      stream_copy(std::span(from).first(size), to.data() + start);
      end_streaming();
      for (std::size_t i = 0; i < to.size(); ++i) {
        const bool is_copied = start <= i && i < start + size;
        ASSERT_EQ(to[i], is_copied ? from[i - start] : 0) << size << " words from word " << start;
      }
    }
  }
}

}  // namespace
}  // namespace polyrank
