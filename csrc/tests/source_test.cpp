#include "polyrank/source.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

using Keys = std::vector<std::optional<std::string>>;

/// A column of one Arrow type over memory of the test's.
struct Column {
  ArrowSchema schema{};
  ArrowArray array{};
  std::vector<const void*> buffers;

  Column(const char* format, std::int64_t length, std::vector<const void*> memory) : buffers(std::move(memory)) {
    schema.format = format;
    array.length = length;
    array.null_count = -1;
    array.n_buffers = static_cast<std::int64_t>(buffers.size());
    array.buffers = buffers.data();
  }
  void set_dictionary(Column& values) {
    schema.dictionary = &values.schema;
    array.dictionary = &values.array;
  }
};

std::uint64_t hash(const std::string& key, std::uint64_t seed) {
  return xxh64({reinterpret_cast<const std::uint8_t*>(key.data()), key.size()}, seed);
}

std::string le64(std::int64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
  return bytes;
}

/// Both ways to hash, whole and from every row on, give these keys.
void expect_keys(const Column& column, const Reading& reading, const Keys& keys) {
  const auto source = open_source(column.schema, column.array, reading);
  ASSERT_EQ(source->size(), keys.size());
  for (std::size_t begin = 0; begin <= keys.size(); ++begin) {
    std::vector<std::int64_t> out(keys.size() - begin, 99);
    std::vector<std::uint64_t> states(out.size(), 7);
    std::vector<std::uint8_t> is_missing(out.size(), 0);
    source->fingerprint(begin, out);
    source->chain(begin, states, is_missing);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto& key = keys[begin + i];
      EXPECT_EQ(out[i], key ? to_fingerprint(hash(*key, reading.seed)) : kMissing) << begin + i;
      EXPECT_EQ(is_missing[i], key ? 0 : 1) << begin + i;
      if (key) {
        EXPECT_EQ(states[i], hash(*key, 7)) << begin + i;
      }
    }
  }
}

void expect_refusal(const Column& column, const Reading& reading, Reason reason, std::size_t row) {
  try {
    const auto source = open_source(column.schema, column.array, reading);
    std::vector<std::int64_t> out(source->size());
    source->fingerprint(0, out);
    FAIL() << "nothing was refused";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.reason(), reason);
    EXPECT_EQ(refusal.row(), row);
  }
}

const Reading kText{.dtype = Dtype::kText, .seed = 42, .missing = {}};
const Reading kInt64{.dtype = Dtype::kInt64, .seed = 42, .missing = {}};
const std::array<std::int32_t, 6> kOffsets{0, 1, 1, 3, 5, 8};
constexpr const char* kDigits = "7420-1007";  // "7", "", "42", "0-", "100"

TEST(Source, TextIsSlicedByItsOffset) {
  const std::uint8_t bitmap = 0b01011;
  Column column("u", 4, {&bitmap, kOffsets.data(), kDigits});
  column.array.offset = 1;
  expect_keys(column, kText, {"", std::nullopt, "0-", std::nullopt});
}

TEST(Source, EveryNullPatternIsMissingFromEveryBitOffset) {
  const std::vector<std::int8_t> values(16, 3);
  for (unsigned pattern = 0; pattern < 256; ++pattern) {
    for (std::int64_t offset = 0; offset < 8; ++offset) {
      const unsigned shifted = pattern << offset;
      const std::array<std::uint8_t, 2> bitmap{static_cast<std::uint8_t>(shifted),
                                               static_cast<std::uint8_t>(shifted >> 8)};
      Column column("c", 8, {bitmap.data(), values.data()});
      column.array.offset = offset;
      Keys keys;
      for (unsigned i = 0; i < 8; ++i) {
        keys.push_back((pattern >> i & 1U) != 0 ? std::optional<std::string>("3") : std::nullopt);
      }
      expect_keys(column, kText, keys);
    }
  }
}

TEST(Source, FixedBytesRunOverManyBlocks) {
  std::string data;
  Keys keys;
  for (int i = 0; i < 2100; ++i) {
    keys.emplace_back(std::string{static_cast<char>(i), static_cast<char>(i >> 8), 'x'});
    data += *keys.back();
  }
  Column column("w:3", 2100, {nullptr, data.data()});
  const auto source = open_source(column.schema, column.array, kText);
  std::vector<std::int64_t> out(2100);
  source->fingerprint(0, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], to_fingerprint(hash(*keys[i], 42)));
  }
}

TEST(Source, BooleansAreWordsOrNumbers) {
  const std::uint8_t bits = 0b101;
  const std::uint8_t bitmap = 0b011;
  const Column column("b", 3, {&bitmap, &bits});
  expect_keys(column, kText, {"true", "false", std::nullopt});
  expect_keys(column, kInt64, {le64(1), le64(0), std::nullopt});
}

TEST(Source, FloatsAreWholeNumbers) {
  const std::array<float, 4> values{-0.0F, 46.0F, std::numeric_limits<float>::quiet_NaN(), -3.0F};
  const Column column("f", 4, {nullptr, values.data()});
  expect_keys(column, kText, {"0", "46", std::nullopt, "-3"});
  expect_keys(column, kInt64, {le64(0), le64(46), std::nullopt, le64(-3)});
}

TEST(Source, HalfFloatsAreReadFromTheirBits) {
  const std::array<std::uint16_t, 5> values{0x5000, 0x7E00, 0x8000, 0xC700, 0x6400};
  expect_keys(Column("e", 5, {nullptr, values.data()}), kText, {"32", std::nullopt, "0", "-7", "1024"});
  const std::array<std::uint16_t, 2> wrong{0x0001, 0x7C00};
  expect_refusal(Column("e", 1, {nullptr, wrong.data()}), kText, Reason::kNotWhole, 0);
  expect_refusal(Column("e", 1, {nullptr, wrong.data() + 1}), kText, Reason::kInfinite, 0);
}

TEST(Source, FloatsWithoutCanonicalFormAreRefusedWithTheirRow) {
  const auto refused = [](double wrong, Reason reason) {
    std::vector<double> values(3000, 1.0);
    values[2500] = wrong;
    expect_refusal(Column("g", 3000, {nullptr, values.data()}), kInt64, reason, 2500);
  };
  refused(0.5, Reason::kNotWhole);
  refused(-std::numeric_limits<double>::infinity(), Reason::kInfinite);
  refused(9007199254740994.0, Reason::kTooLarge);
}

TEST(Source, NullsMayHideAnything) {
  const std::array<double, 2> floats{0.5, 1};
  const std::array<std::uint64_t, 2> integers{~std::uint64_t{0}, 1};
  const std::uint8_t bitmap = 0b10;
  expect_keys(Column("g", 2, {&bitmap, floats.data()}), kInt64, {std::nullopt, le64(1)});
  expect_keys(Column("L", 2, {&bitmap, integers.data()}), kInt64, {std::nullopt, le64(1)});
}

TEST(Source, UnsignedIntegersBeyondInt64AreTextOnly) {
  const std::array<std::uint64_t, 2> values{7, ~std::uint64_t{0}};
  const Column column("L", 2, {nullptr, values.data()});
  expect_keys(column, kText, {"7", "18446744073709551615"});
  expect_refusal(column, kInt64, Reason::kOutOfRange, 1);
}

TEST(Source, TextIsParsedUnderInt64) {
  expect_keys(Column("u", 1, {nullptr, kOffsets.data(), kDigits}), kInt64, {le64(7)});
  const std::uint8_t bitmap = 0b10101;
  const Column column("u", 5, {&bitmap, kOffsets.data(), kDigits});
  expect_keys(column, kInt64, {le64(7), std::nullopt, le64(42), std::nullopt, le64(100)});
  expect_refusal(Column("u", 5, {nullptr, kOffsets.data(), kDigits}), kInt64, Reason::kNotDecimal, 1);
}

TEST(Source, BytesAreRefusedUnderInt64AtTheFirstPresentRow) {
  const std::uint8_t bitmap = 0b10;
  const Column column("z", 2, {&bitmap, kOffsets.data(), kDigits});
  EXPECT_THROW((void)open_source(column.schema, column.array, kInt64), Refusal);
  expect_refusal(column, kInt64, Reason::kBytes, 1);
}

TEST(Source, TokensAreComparedWithCanonicalBytes) {
  const Reading reading{.dtype = Dtype::kText, .seed = 42, .missing = {"7", "", "007"}};
  expect_keys(Column("u", 3, {nullptr, kOffsets.data(), kDigits}), reading, {std::nullopt, std::nullopt, "42"});
  const std::array<std::uint8_t, 2> values{7, 0};
  expect_keys(Column("C", 2, {nullptr, values.data()}), reading, {std::nullopt, "0"});
}

TEST(Source, TokensAreTextOrIntegersUnderInt64) {
  const Reading reading{.dtype = Dtype::kInt64, .seed = 42, .missing = {"007", "0-", ""}};
  expect_keys(Column("u", 4, {nullptr, kOffsets.data(), kDigits}), reading,
              {std::nullopt, std::nullopt, le64(42), std::nullopt});
  const std::array<std::int64_t, 2> values{7, 0};
  expect_keys(Column("l", 2, {nullptr, values.data()}), reading, {std::nullopt, le64(0)});
}

TEST(Source, DictionaryValueWithoutCanonicalFormMattersOnlyWhereUsed) {
  Column values("u", 5, {nullptr, kOffsets.data(), kDigits});
  const std::array<std::uint16_t, 3> indices{2, 9, 0};
  const std::uint8_t bitmap = 0b101;
  Column column("S", 3, {&bitmap, indices.data()});
  column.set_dictionary(values);
  expect_keys(column, kInt64, {le64(42), std::nullopt, le64(7)});
  const std::array<std::uint16_t, 3> refused{2, 3, 1};
  Column wrong("S", 3, {nullptr, refused.data()});
  wrong.set_dictionary(values);
  expect_keys(wrong, kText, {"42", "0-", ""});
  expect_refusal(wrong, kInt64, Reason::kNotDecimal, 1);
}

TEST(Source, NullInADictionaryIsMissing) {
  const std::uint8_t bitmap = 0b01;
  Column values("z", 2, {&bitmap, kOffsets.data(), kDigits});
  const std::array<std::int8_t, 2> indices{1, 0};
  Column column("c", 2, {nullptr, indices.data()});
  column.set_dictionary(values);
  expect_keys(column, kText, {std::nullopt, "7"});
  expect_refusal(column, kInt64, Reason::kBytes, 1);
}

TEST(Source, LongDictionaryOfFewRowsIsReadByItsRowsAlone) {
  std::string data;
  std::vector<std::int32_t> offsets{0};
  for (int i = 0; i < 1000; ++i) {
    data += i == 500 ? "x" : std::to_string(i);
    offsets.push_back(static_cast<std::int32_t>(data.size()));
  }
  Column values("u", 1000, {nullptr, offsets.data(), data.data()});
  const std::array<std::uint16_t, 4> indices{999, 500, 0, 500};
  const std::uint8_t bitmap = 0b0101;
  Column column("S", 4, {&bitmap, indices.data()});
  column.set_dictionary(values);
  expect_keys(column, kInt64, {le64(999), std::nullopt, le64(0), std::nullopt});
  Column wrong("S", 4, {nullptr, indices.data()});
  wrong.set_dictionary(values);
  expect_keys(wrong, kText, {"999", "x", "0", "x"});
  expect_refusal(wrong, kInt64, Reason::kNotDecimal, 1);
}

template <typename Index>
void expect_wrong_index(const char* format, Index wrong) {
  Column values("u", 2, {nullptr, kOffsets.data(), kDigits});
  const std::array<Index, 2> indices{0, wrong};
  Column column(format, 2, {nullptr, indices.data()});
  column.set_dictionary(values);
  EXPECT_THROW((void)open_source(column.schema, column.array, kText), WrongIndex) << format;
}

TEST(Source, DictionaryIndexOutOfRangeIsRefused) {
  expect_wrong_index<std::int8_t>("c", -1);
  expect_wrong_index<std::uint8_t>("C", 2);
  expect_wrong_index<std::int16_t>("s", std::numeric_limits<std::int16_t>::min());
  expect_wrong_index<std::uint16_t>("S", 0xFFFF);
  expect_wrong_index<std::int32_t>("i", -2);
  expect_wrong_index<std::uint32_t>("I", ~0U);
  expect_wrong_index<std::int64_t>("l", std::numeric_limits<std::int64_t>::min());
  expect_wrong_index<std::uint64_t>("L", ~std::uint64_t{0});
}

TEST(Source, OtherTypesAreUnknownUnlessTheyAreAllNull) {
  const std::array<std::int32_t, 2> days{1, 2};
  Column column("tdD", 2, {nullptr, days.data()});
  EXPECT_THROW((void)open_source(column.schema, column.array, kText), UnknownLayout);
  column.array.null_count = 2;
  expect_keys(column, kText, {std::nullopt, std::nullopt});
  expect_keys(Column("n", 2, {}), kInt64, {std::nullopt, std::nullopt});
}

TEST(Source, ExtensionTypesAreUnknown) {
  Column column("u", 1, {nullptr, kOffsets.data(), kDigits});
  using namespace std::string_literals;
  const std::string metadata = "\1\0\0\0\x14\0\0\0ARROW:extension:name\1\0\0\0x"s;
  column.schema.metadata = metadata.data();
  EXPECT_THROW((void)open_source(column.schema, column.array, kText), UnknownLayout);
}

TEST(Source, EmptyArraysNeedNoBuffers) {
  for (const char* format : {"u", "U", "vu", "l", "b", "w:4", "g", "n", "+s"}) {
    expect_keys(Column(format, 0, {nullptr, nullptr, nullptr}), kInt64, {});
  }
}

}  // namespace
}  // namespace polyrank
