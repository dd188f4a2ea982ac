#include "polyrank/row_block.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "polyrank/utf8.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

const Reading kText{.dtype = Dtype::kText, .seed = 42, .missing = {"7", "NA"}};
const Reading kInt64{.dtype = Dtype::kInt64, .seed = 42, .missing = {"07", "NA"}};

std::int64_t expected(const std::string& key) {
  return to_fingerprint(xxh64({reinterpret_cast<const std::uint8_t*>(key.data()), key.size()}, 42));
}

std::vector<std::int64_t> fingerprints(RowBlock& block) {
  std::vector<std::int64_t> out(block.size());
  block.fingerprint(out);
  return out;
}

TEST(RowBlock, ValuesOfManyTypesAreText) {
  const PreparedReading how(kText);
  RowBlock block(how);
  block.add_text("a", 0);
  block.add_text({}, 1);
  block.add_missing();
  block.add_integer(-46);
  block.add_float(46.0, 4);
  block.add_boolean(true);
  block.add_bytes("NA", 6);
  block.add_integer(7);
  EXPECT_EQ(fingerprints(block), (std::vector{expected("a"), expected(""), kMissing, expected("-46"), expected("46"),
                                              expected("true"), kMissing, kMissing}));
}

TEST(RowBlock, IntegersAloneAreTextToo) {
  const PreparedReading how(kText);
  RowBlock block(how);
  block.add_integer(46);
  block.add_missing();
  block.add_integer(7);
  EXPECT_EQ(fingerprints(block), (std::vector{expected("46"), kMissing, kMissing}));
}

TEST(RowBlock, ValuesOfManyTypesAreIntegers) {
  const PreparedReading how(kInt64);
  RowBlock block(how);
  block.add_text("0046", 0);
  block.add_text("NA", 1);
  block.add_float(7.0, 2);
  block.add_boolean(false);
  using namespace std::string_literals;
  EXPECT_EQ(fingerprints(block),
            (std::vector{expected("\x2e\0\0\0\0\0\0\0"s), kMissing, kMissing, expected("\0\0\0\0\0\0\0\0"s)}));
}

TEST(RowBlock, RefusalNamesTheRowItWasGiven) {
  const PreparedReading how(kInt64);
  RowBlock block(how);
  const auto refused = [](const auto& add, Reason reason) {
    try {
      add();
      FAIL() << "nothing was refused";
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.reason(), reason);
      EXPECT_EQ(refusal.row(), 5U);
    }
  };
  refused([&] { block.add_bytes("1", 5); }, Reason::kBytes);
  refused([&] { block.add_text("x", 5); }, Reason::kNotDecimal);
  refused([&] { block.add_text("9223372036854775808", 5); }, Reason::kOutOfRange);
  refused([&] { block.add_float(0.5, 5); }, Reason::kNotWhole);
  EXPECT_EQ(block.size(), 0U);
}

TEST(RowBlock, ClearedBlockBeginsAnew) {
  const PreparedReading how(kText);
  RowBlock block(how);
  block.add_integer(1);
  block.clear();
  block.add_text("a", 0);
  EXPECT_EQ(fingerprints(block), std::vector{expected("a")});
}

TEST(WriteUtf8, CodePointsOfEveryLengthAreWritten) {
  const std::array<std::uint32_t, 8> text{0x41, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF};
  std::array<char, 32> out;
  char* end = write_utf8(std::span<const std::uint32_t>(text), out.data());
  EXPECT_EQ(std::string(out.data(), end),
            "\x41\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
}

TEST(WriteUtf8, SurrogatesAndWhatIsNoCodePointAreRefused) {
  for (const std::uint32_t code : {0xD800U, 0xDFFFU, 0x110000U, 0xFFFFFFFFU}) {
    std::array<char, 4> out;
    EXPECT_EQ(write_utf8(std::span<const std::uint32_t>(&code, 1), out.data()), nullptr);
  }
}

}  // namespace
}  // namespace polyrank
