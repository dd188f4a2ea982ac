#include "polyrank/xxhash64.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace polyrank {
namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Xxh64, EmptyKeyHasPublishedHash) { EXPECT_EQ(xxh64({}, 0), 0xEF46DB3751D8E999); }

TEST(Xxh64, ShortKeyHasPublishedHash) { EXPECT_EQ(xxh64(bytes_of("abc"), 0), 0x44BC2CF5AD770999); }

TEST(Xxh64, KeyLongerThanOneStripeHasPublishedHash) {
  EXPECT_EQ(xxh64(bytes_of("Nobody inspects the spammish repetition"), 0), 0xFBCEA83C8A378BF1);
}

TEST(Xxh64, AnswerDoesNotDependOnAlignment) {
  const std::string_view text = "forty-two bytes, so that a stripe precedes";
  const std::uint64_t expected = xxh64(bytes_of(text), 42);
  std::vector<std::uint8_t> memory(text.size() + 8);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::copy(text.begin(), text.end(), memory.begin() + static_cast<std::ptrdiff_t>(shift));
    EXPECT_EQ(xxh64(std::span(memory).subspan(shift, text.size()), 42), expected) << "shift " << shift;
  }
}

// The heap block ends where the key ends, so that the sanitizers see any read beyond it.
TEST(Xxh64, EveryLengthReadsOnlyItsOwnBytes) {
  std::uint64_t seen = 0;
  for (std::size_t length = 0; length <= 100; ++length) {
    const std::vector<std::uint8_t> key(length, 0xA5);
    const std::uint64_t hash = xxh64(key, 42);
    EXPECT_NE(hash, seen) << "length " << length;
    seen = hash;
  }
}

TEST(Xxh64, ChainedSeedsGiveTheValueThatSparkDocuments) {
  const std::array<std::uint8_t, 4> first{123, 0, 0, 0};
  const std::array<std::uint8_t, 4> second{2, 0, 0, 0};
  EXPECT_EQ(xxh64(second, xxh64(first, xxh64(bytes_of("Spark"), 42))), 5602566077635097486U);
}

}  // namespace
}  // namespace polyrank
