#include "polyrank/encode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "encoded_tables.hpp"
#include "polyrank/fingerprint.hpp"

namespace polyrank {
namespace {

TEST(Encode, ColumnsBecomeRows) {
  Table table;
  table.add(integers("a", {1, 2}));
  table.add(floats("x", {0.5, std::nan("")}));
  table.add(integers("b", {3, 4}));
  const Plan plan({CategoricalGroup{id("b")}, NumberGroup{.name = "x"}, CategoricalGroup{id("a")}});
  const Encoded encoded = encode(plan, table.schema(), {&table.chunk()});
  EXPECT_EQ(encoded.ids, (std::vector{hashed(3), hashed(1), hashed(4), hashed(2)}));
  EXPECT_EQ(encoded.dense[0], 0.5F);
  EXPECT_TRUE(std::isnan(encoded.dense[1]));
}

TEST(Encode, ChunksAndTheirSlicesFollowOneAnother) {
  Table table;
  table.add(integers("a", {1, 2, 3}));
  ArrowArray sliced = table.chunk();
  sliced.offset = 1;
  sliced.length = 2;
  const Plan plan({CategoricalGroup{id("a")}});
  EXPECT_EQ(encode(plan, table.schema(), {&sliced, &table.chunk()}).ids,
            (std::vector{hashed(2), hashed(3), hashed(1), hashed(2), hashed(3)}));
}

TEST(Encode, ListsKeepTheirHeadAndArePadded) {
  Table table;
  table.add(lists("a", {0, 3, 3, 4}, integers("item", {1, 2, 3, 4})));
  const Plan plan({BagGroup{.field = id("a"), .max_length = 2, .weights = ""}});
  EXPECT_EQ(encode(plan, table.schema(), {&table.chunk()}).ids,
            (std::vector<std::int64_t>{hashed(1), hashed(2), -1, -1, hashed(4), -1}));
}

TEST(Encode, ListLongerThanAPieceIsHashedWhole) {
  std::vector<std::int64_t> values(1000);
  std::vector<std::int64_t> expected;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>(i);
    expected.push_back(hashed(values[i]));
  }
  Table table;
  table.add(lists("a", {0, 1, 1000}, integers("item", values)));
  const Plan plan({BagGroup{.field = id("a"), .max_length = 999, .weights = ""}});
  const auto ids = encode(plan, table.schema(), {&table.chunk()}).ids;
  EXPECT_EQ(std::vector(ids.begin() + 999, ids.end()), std::vector(expected.begin() + 1, expected.end()));
}

TEST(Encode, WeightsArePaddedWithZero) {
  Table table;
  table.add(lists("a", {0, 3, 3, 4}, integers("item", {1, 2, 3, 4})));
  table.add(lists("w", {0, 3, 3, 4}, floats("item", {0.5, 1.5, 2.5, std::nan("")})));
  const Plan plan({BagGroup{.field = id("a"), .max_length = 2, .weights = "w"}});
  EXPECT_EQ(encode(plan, table.schema(), {&table.chunk()}).weights, (std::vector<float>{0.5, 1.5, 0, 0, 0, 0}));
}

TEST(Encode, VectorFillsAsManyColumns) {
  Table table;
  table.add(lists("v", {0, 2, 4}, floats("item", {1, 2, 3, 4})));
  table.add(floats("x", {7, 8}));
  const Plan plan({NumberGroup{.name = "x"}, VectorGroup{.name = "v", .dim = 2}, NumberGroup{.name = "x"}});
  EXPECT_EQ(encode(plan, table.schema(), {&table.chunk()}).dense, (std::vector<float>{7, 1, 2, 7, 8, 3, 4, 8}));
}

TEST(Encode, NullVectorIsMissing) {
  Table table;
  table.add(lists("v", {0, 2, 5}, floats("item", {1, 2, 3, 4, 5})));
  table.column(0).validity = {0b01};
  table.column(0).buffers[0] = table.column(0).validity.data();
  table.column(0).array.null_count = 1;
  const Plan plan({VectorGroup{.name = "v", .dim = 2}});
  const auto dense = encode(plan, table.schema(), {&table.chunk()}).dense;
  EXPECT_EQ(dense[1], 2.0F);
  EXPECT_TRUE(std::isnan(dense[2]) && std::isnan(dense[3]));
}

TEST(Encode, CrossChainsItsParts) {
  Table table;
  table.add(integers("a", {1}));
  table.add(integers("b", {2}));
  const Plan plan({CrossGroup{{id("a"), id("b")}}});
  const std::array<std::int64_t, 2> values{1, 2};
  std::uint64_t state = 42;
  for (const std::int64_t& value : values) {
    chain(Int64Column{.values = {&value, 1}, .validity = {}}, {&state, 1});
  }
  EXPECT_EQ(encode(plan, table.schema(), {&table.chunk()}).ids, std::vector{to_fingerprint(state)});
}

// Enough rows for several threads; those at `wrong` are no whole numbers.
Table large_table(const std::vector<std::size_t>& wrong) {
  std::vector<double> values(300'000);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(i);
  }
  Table table;
  table.add(floats("right", values));
  for (const std::size_t row : wrong) {
    values[row] += 0.5;
  }
  table.add(floats("wrong", values));
  return table;
}

class Threads : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Encode, Threads, testing::Values(1, 2, 3, 8));

TEST_P(Threads, GiveTheSameRows) {
  Table table = large_table({});
  const Plan plan({CategoricalGroup{id("right")}, CategoricalGroup{id("wrong")}});
  const auto ids = encode(plan, table.schema(), {&table.chunk()}, GetParam()).ids;
  EXPECT_EQ(ids[2 * 299'999], hashed(299'999));
  EXPECT_EQ(ids, encode(plan, table.schema(), {&table.chunk()}).ids);
}

TEST_P(Threads, RefuseTheFirstWrongRow) {
  Table table = large_table({299'999, 200'001, 200'000, 150'123});
  const Plan plan({CategoricalGroup{id("right")}, CategoricalGroup{id("wrong")}});
  try {
    encode(plan, table.schema(), {&table.chunk()}, GetParam());
    FAIL();
  } catch (const GroupRefusal& refusal) {
    EXPECT_EQ(refusal.group(), 1U);
    EXPECT_EQ(refusal.row(), 150'123U);
  }
}

// An odd number of slots, from an odd word on: blocks begin anywhere in a cache line.
TEST_P(Threads, StreamWhatIsLargeToo) {
  Table table = large_table({});
  const Plan plan({CategoricalGroup{id("right")}, CategoricalGroup{id("wrong")}, CategoricalGroup{id("right")}});
  const std::vector<const ArrowArray*> chunks(3, &table.chunk());
  const OpenTable large(plan, table.schema(), chunks, true, 1);
  std::vector<std::int64_t> memory(1 + large.size() * plan.num_slots());
  large.encode({.ids = memory.data() + 1}, GetParam());
  ArrowArray piece = table.chunk();
  for (std::size_t row = 0; row < large.size(); row += 100'000) {
    piece.offset = static_cast<std::int64_t>(row % 300'000);
    piece.length = 100'000;
    const auto expected = encode(plan, table.schema(), {&piece}).ids;
    const std::span found(memory.data() + 1 + row * plan.num_slots(), expected.size());
    ASSERT_TRUE(std::ranges::equal(found, expected)) << "from row " << row;
  }
}

TEST(Encode, FewValuesStayOnTheCallingThread) {
  EXPECT_EQ(worthwhile_threads(1000, 8), 1U);
  EXPECT_EQ(worthwhile_threads(0, 0), 1U);
  EXPECT_EQ(worthwhile_threads(std::size_t{1} << 40, 8), 8U);
}

TEST(Encode, AbsentAndDoubledColumnsAreNoTable) {
  Table table;
  table.add(integers("a", {1}));
  table.add(integers("b", {1}));
  table.add(integers("b", {1}));
  const std::vector<const ArrowArray*> chunks{&table.chunk()};
  EXPECT_FALSE(OpenTable(Plan({CategoricalGroup{id("c")}}), table.schema(), chunks, true, 1).is_table());
  EXPECT_FALSE(OpenTable(Plan({CategoricalGroup{id("b")}}), table.schema(), chunks, true, 1).is_table());
  const Plan plan({CategoricalGroup{id("a")}, CategoricalGroup{id("c")}});
  EXPECT_EQ(OpenTable(plan, table.schema(), chunks, false, 1).unread(), std::vector<std::size_t>{1});
}

TEST(Encode, TypeWithoutASourceIsLeftUnread) {
  Table table;
  table.add(integers("a", {1}));
  table.column(0).schema.format = "tsu:";
  const std::vector<const ArrowArray*> chunks{&table.chunk()};
  const Plan plan({CategoricalGroup{id("a")}});
  EXPECT_EQ(OpenTable(plan, table.schema(), chunks, true, 1).unread(), std::vector<std::size_t>{0});
}

}  // namespace
}  // namespace polyrank
