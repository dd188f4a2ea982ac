#include "polyrank/fingerprint.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

constexpr std::uint64_t kSeed = 42;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::int64_t expected(std::string_view text) { return to_fingerprint(xxh64(bytes_of(text), kSeed)); }

template <typename Column>
std::vector<std::int64_t> fingerprints(const Column& column) {
  std::vector<std::int64_t> out(column.size());
  fingerprint(column, kSeed, out);
  return out;
}

template <typename Offset>
class StringColumnTest : public testing::Test {};
using Offsets = testing::Types<std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(StringColumnTest, Offsets);

TYPED_TEST(StringColumnTest, KeysAreSlicesOfTheData) {
  const std::vector<TypeParam> offsets{1, 3, 3, 6};
  const StringColumn<TypeParam> column{.offsets = offsets, .data = bytes_of("xabcdef").data(), .validity = {}};
  EXPECT_EQ(fingerprints(column), (std::vector{expected("ab"), expected(""), expected("cde")}));
}

TYPED_TEST(StringColumnTest, NullsAreMissingFromAnyBitOffset) {
  const std::vector<TypeParam> offsets{0, 1, 2, 3};
  const std::array<std::uint8_t, 2> bitmap{0b0100'0000, 0b0000'0001};
  const StringColumn<TypeParam> column{
      .offsets = offsets, .data = bytes_of("abc").data(), .validity = {.bitmap = bitmap.data(), .bit_offset = 6}};
  EXPECT_EQ(fingerprints(column), (std::vector{expected("a"), kMissing, expected("c")}));
}

TYPED_TEST(StringColumnTest, EmptyColumnWritesNothing) { EXPECT_TRUE(fingerprints(StringColumn<TypeParam>{}).empty()); }

TYPED_TEST(StringColumnTest, EmptyKeysNeedNoData) {
  const std::vector<TypeParam> offsets{0, 0};
  const StringColumn<TypeParam> column{.offsets = offsets, .data = nullptr, .validity = {}};
  EXPECT_EQ(fingerprints(column), std::vector{expected("")});
}

TEST(Int64Column, ValuesHashAsLittleEndianBytes) {
  const std::vector<std::int64_t> values{1, -2, std::numeric_limits<std::int64_t>::min()};
  const Int64Column column{.values = values, .validity = {}};
  using namespace std::string_view_literals;
  EXPECT_EQ(fingerprints(column),
            (std::vector{expected("\1\0\0\0\0\0\0\0"sv), expected("\xfe\xff\xff\xff\xff\xff\xff\xff"sv),
                         expected("\0\0\0\0\0\0\0\x80"sv)}));
}

TEST(Int64Column, OutputMayReplaceTheValues) {
  std::vector<std::int64_t> values{3, 5, 8};
  const std::vector<std::int64_t> copy = values;
  fingerprint(Int64Column{.values = values, .validity = {}}, kSeed, values);
  EXPECT_EQ(values, fingerprints(Int64Column{.values = copy, .validity = {}}));
}

TEST(ViewColumn, KeysLieInlineOrInABuffer) {
  const std::string_view data = "..a key of more than twelve bytes";
  const std::array<const std::uint8_t*, 1> buffers{bytes_of(data).data()};
  std::array<View, 2> views{};
  views[0].length = 12;
  std::memcpy(reinterpret_cast<char*>(views.data()) + 4, "twelve bytes", 12);
  views[1] = {.length = static_cast<std::int32_t>(data.size()) - 2, .prefix = {}, .buffer = 0, .offset = 2};
  const ViewColumn column{.views = views, .buffers = buffers, .validity = {}};
  EXPECT_EQ(fingerprints(column), (std::vector{expected("twelve bytes"), expected(data.substr(2))}));
}

TEST(ScatteredColumn, KeyWithoutDataIsMissingAndEmptyKeyIsNot) {
  const std::array<std::string_view, 3> keys{"a", std::string_view{}, ""};
  EXPECT_EQ(fingerprints(ScatteredColumn{keys}), (std::vector{expected("a"), kMissing, expected("")}));
}

TEST(Chain, EachStateSeedsItsKey) {
  const std::vector<std::int64_t> values{7, 7};
  std::vector<std::uint64_t> states{kSeed, 1};
  chain(Int64Column{.values = values, .validity = {}}, states);
  const std::array<std::uint8_t, 8> key{7};
  EXPECT_EQ(states, (std::vector{xxh64(key, kSeed), xxh64(key, 1)}));
}

TEST(Chain, MissingKeyLeavesItsStateAlone) {
  const std::vector<std::int64_t> values{7};
  const std::uint8_t bitmap = 0;
  std::vector<std::uint64_t> states{kSeed};
  chain(Int64Column{.values = values, .validity = {.bitmap = &bitmap, .bit_offset = 0}}, states);
  EXPECT_EQ(states, std::vector{kSeed});
}

TEST(ToFingerprint, ClearsTheSignBit) {
  EXPECT_EQ(to_fingerprint(std::numeric_limits<std::uint64_t>::max()), std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace polyrank
