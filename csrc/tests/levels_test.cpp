#include "polyrank/levels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

constexpr std::uint64_t kSeed = 42;
constexpr std::size_t kAlignments = 64;

template <typename Column>
std::vector<std::int64_t> fingerprints(const Level& level, const Column& column) {
  std::vector<std::int64_t> out(column.size());
  level.fingerprint(column, kSeed, out);
  return out;
}

template <typename Column>
std::vector<std::uint64_t> chained(const Level& level, const Column& column) {
  std::vector<std::uint64_t> states(column.size());
  std::iota(states.begin(), states.end(), std::uint64_t{0x8000'0000'0000'0000});
  level.chain(column, states);
  return states;
}

const Level& scalar() { return *available_levels().front(); }

template <typename Column>
void expect_scalar_answers(const Level& level, const Column& column) {
  EXPECT_EQ(fingerprints(level, column), fingerprints(scalar(), column));
  EXPECT_EQ(chained(level, column), chained(scalar(), column));
}

// Memory of exactly these bytes, so that a sanitizer sees the first byte read beyond them.
class Text {
 public:
  Text(std::mt19937_64& random, std::size_t size) : bytes_(std::make_unique<std::uint8_t[]>(size)), size_(size) {
    for (std::size_t i = 0; i < size; ++i) {
      bytes_[i] = static_cast<std::uint8_t>(random());
    }
  }
  [[nodiscard]] const std::uint8_t* data() const { return bytes_.get(); }
  [[nodiscard]] std::string_view slice(std::size_t begin, std::size_t size) const {
    return {reinterpret_cast<const char*>(bytes_.get()) + begin, size};
  }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
};

// The parameter is an index of available_levels().
class LevelTest : public testing::TestWithParam<std::size_t> {
 protected:
  [[nodiscard]] static const Level& level() { return *available_levels()[GetParam()]; }

  std::mt19937_64 random_{1};

  template <typename Offset>
  void expect_lengths(const std::vector<std::size_t>& lengths, std::size_t lead, const Validity& validity = {}) {
    std::vector<Offset> offsets{static_cast<Offset>(lead)};
    for (const std::size_t length : lengths) {
      offsets.push_back(offsets.back() + static_cast<Offset>(length));
    }
    const Text text(random_, static_cast<std::size_t>(offsets.back()));
    expect_scalar_answers(level(), StringColumn<Offset>{.offsets = offsets, .data = text.data(), .validity = validity});
  }
};

TEST_P(LevelTest, EveryLengthAtEveryAlignmentAnswersLikeScalar) {
  for (std::size_t lead = 0; lead < kAlignments; ++lead) {
    for (std::size_t length = 0; length <= 300; ++length) {
      const Text text(random_, lead + length);
      const std::array<std::int32_t, 2> offsets{static_cast<std::int32_t>(lead),
                                                static_cast<std::int32_t>(lead + length)};
      const StringColumn<std::int32_t> column{.offsets = offsets, .data = text.data(), .validity = {}};
      const std::int64_t expected = to_fingerprint(xxh64({text.data() + lead, length}, kSeed));
      ASSERT_EQ(fingerprints(level(), column), std::vector{expected}) << length << " bytes at " << lead;
    }
  }
}

TEST_P(LevelTest, EveryUniformLengthAnswersLikeScalar) {
  for (std::size_t length = 0; length <= 300; ++length) {
    expect_lengths<std::int32_t>(std::vector<std::size_t>(67, length), length % kAlignments);
  }
}

TEST_P(LevelTest, EveryPairOfShortLengthsAnswersLikeScalar) {
  for (std::size_t first = 0; first <= 16; ++first) {
    for (std::size_t second = 0; second <= 16; ++second) {
      std::vector<std::size_t> lengths(21, first);
      lengths[random_() % lengths.size()] = second;
      expect_lengths<std::int64_t>(lengths, 0);
    }
  }
}

TEST_P(LevelTest, MixedLengthsAnswerLikeScalarAcrossBlocks) {
  for (const std::size_t longest : {16U, 31U, 64U, 255U, 300U, 2000U}) {
    std::vector<std::size_t> lengths(1500);
    for (std::size_t& length : lengths) {
      length = random_() % (longest + 1);
    }
    expect_lengths<std::int32_t>(lengths, 3);
    expect_lengths<std::int64_t>(lengths, 5);
  }
}

TEST_P(LevelTest, EveryCountOfKeysAnswersLikeScalar) {
  for (std::size_t count = 0; count <= 40; ++count) {
    expect_lengths<std::int32_t>(std::vector<std::size_t>(count, 7), 0);
    expect_lengths<std::int32_t>(std::vector<std::size_t>(count, 47), 0);
  }
}

TEST_P(LevelTest, EveryNullPatternOfAByteAtEveryBitOffsetIsMissing) {
  const std::vector<std::size_t> lengths{0, 3, 9, 16, 20, 40, 8, 1, 12, 15, 33, 300, 2, 5, 7, 11};
  for (std::size_t bit_offset = 0; bit_offset < 8; ++bit_offset) {
    for (unsigned pattern = 0; pattern < 256; ++pattern) {
      const std::array<std::uint8_t, 3> bitmap{static_cast<std::uint8_t>(pattern), static_cast<std::uint8_t>(~pattern),
                                               static_cast<std::uint8_t>(pattern)};
      expect_lengths<std::int32_t>(lengths, 1, {.bitmap = bitmap.data(), .bit_offset = bit_offset});
    }
  }
}

TEST_P(LevelTest, ViewsAnswerLikeScalar) {
  for (const std::size_t longest : {12U, 16U, 400U}) {
    const Text text(random_, 4000);
    const std::array<const std::uint8_t*, 1> buffers{text.data()};
    std::vector<View> views(700);
    for (View& view : views) {
      const auto length = static_cast<std::int32_t>(random_() % (longest + 1));
      view = {
          .length = length, .prefix = {1, 2, 3, 4}, .buffer = 0, .offset = static_cast<std::int32_t>(random_() % 3600)};
    }
    const std::array<std::uint8_t, 88> all_but_few = [] {
      std::array<std::uint8_t, 88> bits;
      bits.fill(0b1101'1111);
      return bits;
    }();
    expect_scalar_answers(level(), ViewColumn{.views = views, .buffers = buffers, .validity = {}});
    views[5] = {.length = 1 << 30, .prefix = {}, .buffer = 77, .offset = -1};  // missing: it may say anything
    expect_scalar_answers(level(),
                          ViewColumn{.views = views, .buffers = buffers, .validity = {.bitmap = all_but_few.data()}});
  }
}

TEST_P(LevelTest, ScatteredKeysAnswerLikeScalar) {
  for (const std::size_t longest : {16U, 90U}) {
    const Text text(random_, 4000);
    std::vector<std::string_view> keys(700);
    for (std::string_view& key : keys) {
      key = random_() % 10 == 0 ? std::string_view{} : text.slice(random_() % 3900, random_() % (longest + 1));
    }
    expect_scalar_answers(level(), ScatteredColumn{keys});
  }
}

TEST_P(LevelTest, KeysAtTheEndOfTheirMemoryAreReadNoFurther) {
  for (std::size_t length = 0; length <= 70; ++length) {
    const Text text(random_, length);
    const std::vector<std::string_view> keys(9, text.slice(0, length));
    expect_scalar_answers(level(), ScatteredColumn{keys});
  }
}

std::vector<std::int64_t> telling_integers() {
  std::vector<std::int64_t> values{0, -1, std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()};
  for (std::int64_t power = 1; power <= 1'000'000'000'000'000'000 / 10; power *= 10) {
    for (const std::int64_t value : {power * 10, power * 10 - 1, power * 10 + 1, power * 7}) {
      values.insert(values.end(), {value, -value});
    }
  }
  return values;
}

TEST_P(LevelTest, IntegersAnswerLikeScalar) {
  const std::vector<std::int64_t> values = telling_integers();
  const std::vector<std::uint8_t> bitmap(values.size() / 8 + 2, 0b0101'1011);
  for (const Validity& validity : {Validity{}, Validity{.bitmap = bitmap.data(), .bit_offset = 3}}) {
    expect_scalar_answers(level(), Int64Column{.values = values, .validity = validity});
    expect_scalar_answers(level(), DecimalColumn{.values = values, .validity = validity});
  }
}

TEST_P(LevelTest, DecimalsOfEverySizeAnswerLikeScalar) {
  for (int bits = 1; bits <= 64; ++bits) {
    std::vector<std::int64_t> values(600);
    for (std::int64_t& value : values) {
      value = static_cast<std::int64_t>(random_() >> (64 - bits));
    }
    expect_scalar_answers(level(), DecimalColumn{.values = values, .validity = {}});
  }
}

// Words of eight digits are cut off by reciprocals: where they would be a little wrong, it shows beside a multiple.
TEST_P(LevelTest, DecimalsBesideMultiplesOfAWordAnswerLikeScalar) {
  constexpr std::int64_t kWord = 100'000'000;
  for (const std::int64_t unit : {std::int64_t{1}, std::int64_t{97}, kWord, kWord * 9}) {
    std::vector<std::int64_t> values;
    for (std::int64_t multiple = 0; multiple < 100; ++multiple) {
      const std::int64_t at = multiple * unit * kWord;
      values.insert(values.end(), {std::max(at - 1, std::int64_t{0}), at, at + 1, at + kWord / 2});
      if (values.size() % 160 == 0 || multiple == 99) {  // apart, as the largest of a block says how all are cut
        expect_scalar_answers(level(), DecimalColumn{.values = values, .validity = {}});
        values.clear();
      }
    }
  }
}

TEST_P(LevelTest, IntegersAreReplacedInPlace) {
  std::vector<std::int64_t> values = telling_integers();
  const auto expected = fingerprints(scalar(), DecimalColumn{.values = values, .validity = {}});
  level().fingerprint(DecimalColumn{.values = values, .validity = {}}, kSeed, values);
  EXPECT_EQ(values, expected);
}

INSTANTIATE_TEST_SUITE_P(All, LevelTest, testing::Range(std::size_t{0}, available_levels().size()),
                         [](const auto& index) { return std::string(available_levels()[index.param]->name()); });

}  // namespace
}  // namespace polyrank
