#include "polyrank/decimal.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace polyrank {
namespace {

void expect_integer(const std::string& text, std::int64_t value) {
  const ParsedDecimal parsed = parse_decimal(text);
  EXPECT_EQ(parsed.status, DecimalStatus::kInteger) << text;
  EXPECT_EQ(parsed.value, value) << text;
}

TEST(ParseDecimal, EveryLengthAndSignIsRead) {
  std::mt19937_64 random(42);
  for (int shift = 0; shift < 64; ++shift) {
    for (int i = 0; i < 100; ++i) {
      const auto value = static_cast<std::int64_t>(random()) >> shift;
      expect_integer(std::to_string(value), value);
    }
  }
}

TEST(ParseDecimal, ExtremesAreInRangeAndTheirNeighboursAreNot) {
  expect_integer("9223372036854775807", std::numeric_limits<std::int64_t>::max());
  expect_integer("-9223372036854775808", std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "9999999999999999999", "18446744073709551616",
                           "100000000000000000000", "-99999999999999999999999999999999"}) {
    EXPECT_EQ(parse_decimal(text).status, DecimalStatus::kOutOfRange) << text;
  }
}

TEST(ParseDecimal, LeadingZerosDoNotCount) {
  for (std::size_t zeros = 0; zeros < 40; ++zeros) {
    expect_integer(std::string(zeros, '0') + "7", 7);
    expect_integer("-" + std::string(zeros, '0') + "9223372036854775808", std::numeric_limits<std::int64_t>::min());
    expect_integer("-0" + std::string(zeros, '0'), 0);
  }
}

TEST(ParseDecimal, AnythingElseAnywhereIsNoDecimal) {
  for (const char* text : {"", "-", "+5", " 5", "5 ", "5.0", "--5", "x", "1e3"}) {
    EXPECT_EQ(parse_decimal(text).status, DecimalStatus::kNotDecimal) << text;
  }
  for (std::size_t length = 1; length < 30; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (const char wrong : {'/', ':', '\0', '\x7f', '\xb0', '\xff', ' '}) {
        std::string text(length, '1');
        text[at] = wrong;
        EXPECT_EQ(parse_decimal(text).status, DecimalStatus::kNotDecimal) << text;
      }
    }
  }
}

}  // namespace
}  // namespace polyrank
