#include "polyrank/encode.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

std::int64_t hashed(std::int64_t value) {
  std::int64_t out = 0;
  fingerprint(Int64Column{.values = {&value, 1}, .validity = {}}, 42, {&out, 1});
  return out;
}

// One Arrow array with what its pointers lead to.
struct Column {
  std::string name;
  std::string format;
  std::vector<std::int64_t> values;   // of `l`, or of the child of `+L`
  std::vector<std::int64_t> offsets;  // of `+L`
  std::vector<std::uint8_t> validity;
  std::array<const void*, 2> buffers{};
  std::unique_ptr<Column> child;
  ArrowSchema schema{};
  ArrowArray array{};
  ArrowSchema* child_schema = nullptr;
  ArrowArray* child_array = nullptr;
};

std::unique_ptr<Column> integers(std::string name, std::vector<std::int64_t> values) {
  auto column = std::make_unique<Column>();
  column->name = std::move(name);
  column->format = "l";
  column->values = std::move(values);
  column->buffers = {nullptr, column->values.data()};
  column->schema.format = column->format.c_str();
  column->schema.name = column->name.c_str();
  column->array.length = static_cast<std::int64_t>(column->values.size());
  column->array.n_buffers = 2;
  column->array.buffers = column->buffers.data();
  return column;
}

std::unique_ptr<Column> floats(std::string name, const std::vector<double>& values) {
  std::vector<std::int64_t> bits;
  for (const double value : values) {
    bits.push_back(std::bit_cast<std::int64_t>(value));
  }
  auto column = integers(std::move(name), bits);
  column->format = "g";
  column->schema.format = column->format.c_str();
  return column;
}

std::unique_ptr<Column> lists(std::string name, std::vector<std::int64_t> offsets, std::unique_ptr<Column> child) {
  auto column = integers(std::move(name), {});
  column->format = "+L";
  column->schema.format = column->format.c_str();
  column->offsets = std::move(offsets);
  column->buffers[1] = column->offsets.data();
  column->child = std::move(child);
  column->child_schema = &column->child->schema;
  column->child_array = &column->child->array;
  column->schema.n_children = column->array.n_children = 1;
  column->schema.children = &column->child_schema;
  column->array.children = &column->child_array;
  column->array.length = static_cast<std::int64_t>(column->offsets.size()) - 1;
  return column;
}

// A table of one chunk.
class Table {
 public:
  void add(std::unique_ptr<Column> column) {
    chunk_.length = column->array.length;
    columns_.push_back(std::move(column));
    schemas_.push_back(&columns_.back()->schema);
    arrays_.push_back(&columns_.back()->array);
    schema_.format = "+s";
    schema_.n_children = chunk_.n_children = static_cast<std::int64_t>(columns_.size());
    schema_.children = schemas_.data();
    chunk_.children = arrays_.data();
  }
  [[nodiscard]] ArrowArray& chunk() { return chunk_; }
  [[nodiscard]] Column& column(std::size_t index) { return *columns_[index]; }
  [[nodiscard]] const ArrowSchema& schema() const { return schema_; }

 private:
  std::vector<std::unique_ptr<Column>> columns_;
  std::vector<ArrowSchema*> schemas_;
  std::vector<ArrowArray*> arrays_;
  ArrowSchema schema_{};
  ArrowArray chunk_{};
};

Field id(std::string name) { return {.name = std::move(name), .reading = {.dtype = Dtype::kInt64, .missing = {}}}; }

struct Encoded {
  std::vector<std::int64_t> ids;
  std::vector<float> weights;
  std::vector<float> dense;
};

Encoded encode(const Plan& plan, const ArrowSchema& schema, const std::vector<const ArrowArray*>& chunks,
               std::size_t num_threads = 1) {
  const OpenTable table(plan, schema, chunks, true, num_threads);
  EXPECT_TRUE(table.is_table());
  Encoded encoded{std::vector<std::int64_t>(table.size() * plan.num_slots()),
                  std::vector<float>(table.size() * plan.num_weights()),
                  std::vector<float>(table.size() * plan.num_dense())};
  table.encode({.ids = encoded.ids.data(), .weights = encoded.weights.data(), .dense = encoded.dense.data()},
               num_threads);
  return encoded;
}

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

TEST(Encode, WeightsOfAnotherLengthAreRefused) {
  Table table;
  table.add(lists("a", {0, 1, 3}, integers("item", {1, 2, 3})));
  table.add(lists("w", {0, 1, 2}, floats("item", {1, 2})));
  const Plan plan({BagGroup{.field = id("a"), .max_length = 2, .weights = "w"}});
  try {
    encode(plan, table.schema(), {&table.chunk()});
    FAIL();
  } catch (const GroupRefusal& refusal) {
    EXPECT_EQ(refusal.row(), 1U);
  }
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

TEST(Encode, WrongVectorsAreRefusedWithTheirRow) {
  const std::vector<std::int64_t> offsets[] = {{0, 2, 3}, {0, 2, 2}, {0, 2, 4}, {0, 2, 5}};
  for (const auto& ends : offsets) {  // too short, empty, with a number that is missing, too long
    Table table;
    table.add(lists("v", ends, floats("item", {1, 2, 3, std::nan(""), 5})));
    const Plan plan({VectorGroup{.name = "v", .dim = 2}});
    try {
      encode(plan, table.schema(), {&table.chunk()});
      ADD_FAILURE() << "a list of " << ends[2] - ends[1] << " was taken";
    } catch (const GroupRefusal& refusal) {
      EXPECT_EQ(refusal.row(), 1U);
    }
  }
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

TEST(Encode, FewValuesStayOnTheCallingThread) {
  EXPECT_EQ(worthwhile_threads(1000, 8), 1U);
  EXPECT_EQ(worthwhile_threads(0, 0), 1U);
  EXPECT_EQ(worthwhile_threads(std::size_t{1} << 40, 8), 8U);
}

TEST(Encode, RefusalInTheFirstRowWinsOverAnEarlierGroup) {
  Table table;
  table.add(floats("a", {1, 0.5}));
  table.add(floats("b", {0.5, 1}));
  const Plan plan({CategoricalGroup{id("a")}, CategoricalGroup{id("b")}});
  try {
    encode(plan, table.schema(), {&table.chunk()});
    FAIL();
  } catch (const GroupRefusal& refusal) {
    EXPECT_EQ(refusal.group(), 1U);
  }
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

struct Contradiction {
  const char* name;
  void (*make)(Table&);
};

class Contradictions : public testing::TestWithParam<Contradiction> {};
INSTANTIATE_TEST_SUITE_P(
    Encode, Contradictions,
    testing::Values(Contradiction{"short_column", [](Table& table) { table.column(1).array.length = 1; }},
                    Contradiction{"negative_length", [](Table& table) { table.chunk().length = -1; }},
                    Contradiction{"other_children", [](Table& table) { table.chunk().n_children = 1; }},
                    Contradiction{"list_reaches_beyond", [](Table& table) { table.column(0).offsets[2] = 4; }},
                    Contradiction{"falling_offsets", [](Table& table) { table.column(0).offsets[1] = 3; }},
                    Contradiction{"negative_offset", [](Table& table) { table.column(0).offsets[0] = -1; }},
                    Contradiction{"no_offsets", [](Table& table) { table.column(0).buffers[1] = nullptr; }},
                    Contradiction{"no_buffers", [](Table& table) { table.column(0).array.n_buffers = 1; }},
                    Contradiction{"no_child", [](Table& table) { table.column(0).array.n_children = 0; }},
                    Contradiction{"negative_child", [](Table& table) { table.column(0).child->array.length = -1; }},
                    Contradiction{"no_values", [](Table& table) { table.column(1).buffers[1] = nullptr; }}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(Contradictions, AreRefused) {
  Table table;
  table.add(lists("a", {0, 1, 2}, integers("item", {1, 2})));
  table.add(integers("x", {1, 2}));
  GetParam().make(table);
  const Plan plan({BagGroup{.field = id("a"), .max_length = 2, .weights = ""}, NumberGroup{.name = "x"}});
  const std::vector<const ArrowArray*> chunks{&table.chunk()};
  EXPECT_THROW(OpenTable(plan, table.schema(), chunks, true, 1), std::invalid_argument);
}

}  // namespace
}  // namespace polyrank
