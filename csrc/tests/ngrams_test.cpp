#include "polyrank/ngrams.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::vector<std::string> tokens(std::string_view text) {
  Tokenizer tokenizer;
  EXPECT_TRUE(tokenizer.cut(bytes_of(text), text.size()));
  std::vector<std::string> found;
  for (const auto& token : tokenizer.tokens()) {
    found.emplace_back(token.begin(), token.end());
  }
  return found;
}

using Tokens = std::vector<std::string>;

TEST(Tokenizer, AsciiIsFoldedAndCutAtPunctuation) {
  EXPECT_EQ(tokens("  Naïve-42!x_Y\t"), (Tokens{"naïve", "42", "x", "y"}));
}

TEST(Tokenizer, EveryUnicodeSpaceSeparates) {
  EXPECT_EQ(tokens("a\u0085b\u00A0c\u1680d\u2003e\u2028f\u202Fg\u205Fh\u3000i"),
            (Tokens{"a", "b", "c", "d", "e", "f", "g", "h", "i"}));
}

TEST(Tokenizer, EachCjkCodePointIsATokenByItself) {
  EXPECT_EQ(tokens("ab東京cd\U00020000カ한"), (Tokens{"ab", "東", "京", "cd", "\U00020000", "カ", "한"}));
}

TEST(Tokenizer, ControlsAndOtherScriptsArePartOfARun) {
  EXPECT_EQ(tokens(std::string_view("a\0b\x7FÀ", 6)), Tokens{std::string("a\0b\x7FÀ", 6)});
}

TEST(Tokenizer, TokensBeyondTheLimitAreDropped) {
  Tokenizer tokenizer;
  ASSERT_TRUE(tokenizer.cut(bytes_of("a b c"), 2));
  EXPECT_EQ(tokenizer.tokens().size(), 2U);
}

class NotUtf8 : public testing::TestWithParam<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(Tokenizer, NotUtf8,
                         testing::Values("\x80", "a\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
                                         "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3(",
                                         "\xE2(\xA1", "\xF0\x90(\xBC"));

TEST_P(NotUtf8, IsRefusedWhereverItStands) {
  Tokenizer tokenizer;
  EXPECT_FALSE(tokenizer.cut(bytes_of(GetParam()), 0));
  EXPECT_FALSE(tokenizer.cut(bytes_of("ab " + std::string(GetParam())), 1));
}

TEST(NGrams, ComeBySizeThenByPlace) {
  const std::array<std::size_t, 2> sizes{2, 1};
  NGrams ngrams(sizes, 42);
  std::array<std::int64_t, 6> out{};
  ASSERT_TRUE(ngrams.write(bytes_of("a b c"), out));
  const auto one = [](std::string_view token) { return to_fingerprint(xxh64(bytes_of(token), 42)); };
  const auto two = [](std::string_view first, std::string_view second) {
    return to_fingerprint(xxh64(bytes_of(second), xxh64(bytes_of(first), 42)));
  };
  EXPECT_EQ(out, (std::array<std::int64_t, 6>{two("a", "b"), two("b", "c"), one("a"), one("b"), one("c"), -1}));
}

TEST(NGrams, BeyondTheSlotsAreCut) {
  const std::array<std::size_t, 3> sizes{3, 9, std::numeric_limits<std::size_t>::max()};
  NGrams ngrams(sizes, 42);
  std::array<std::int64_t, 1> out{};
  ASSERT_TRUE(ngrams.write(bytes_of("a b c d"), out));
  EXPECT_EQ(out[0], to_fingerprint(xxh64(bytes_of("c"), xxh64(bytes_of("b"), xxh64(bytes_of("a"), 42)))));
}

}  // namespace
}  // namespace polyrank
