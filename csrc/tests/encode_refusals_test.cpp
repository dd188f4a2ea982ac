#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "encoded_tables.hpp"
#include "polyrank/encode.hpp"

namespace polyrank {
namespace {

TEST(EncodeRefusals, WeightsOfAnotherLengthAreRefused) {
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

TEST(EncodeRefusals, WrongVectorsAreRefusedWithTheirRow) {
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

TEST(EncodeRefusals, RefusalInTheFirstRowWinsOverAnEarlierGroup) {
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

// The row of the refusal that encoding a table ends with.
std::size_t refused_row(const Plan& plan, Table& table) {
  try {
    encode(plan, table.schema(), {&table.chunk()});
  } catch (const GroupRefusal& refusal) {
    return refusal.row();
  }
  ADD_FAILURE() << "nothing was refused";
  return 0;
}

TEST(EncodeRefusals, WrongWeightsWinOverALaterValue) {
  Table table;
  table.add(lists("a", {0, 1, 2}, floats("item", {1, 0.5})));
  table.add(lists("w", {0, 2, 3}, floats("item", {1, 2, 3})));
  EXPECT_EQ(refused_row(Plan({BagGroup{.field = id("a"), .max_length = 2, .weights = "w"}}), table), 0U);
}

TEST(EncodeRefusals, WrongValueWinsOverLaterWeights) {
  Table table;
  table.add(lists("a", {0, 1, 2}, floats("item", {0.5, 1})));
  table.add(lists("w", {0, 1, 3}, floats("item", {1, 2, 3})));
  EXPECT_EQ(refused_row(Plan({BagGroup{.field = id("a"), .max_length = 2, .weights = "w"}}), table), 0U);
}

TEST(EncodeRefusals, LaterPartOfACrossWinsInAnEarlierRow) {
  Table table;
  table.add(floats("a", {1, 1, 0.5}));
  table.add(floats("b", {1, 0.5, 0.5}));
  table.add(floats("c", {0.5, 1, 1}));
  EXPECT_EQ(refused_row(Plan({CrossGroup{{id("a"), id("b")}}}), table), 1U);
  EXPECT_EQ(refused_row(Plan({CrossGroup{{id("a"), id("b"), id("c")}}}), table), 0U);
}

TEST(EncodeRefusals, WeightBehindTheLastSlotIsRefused) {
  std::vector<double> weights(600, 1.0);
  weights[599] = std::numeric_limits<double>::infinity();
  Table table;
  table.add(lists("a", {0, 1, 600}, integers("item", std::vector<std::int64_t>(600, 7))));
  table.add(lists("w", {0, 1, 600}, floats("item", weights)));
  EXPECT_EQ(refused_row(Plan({BagGroup{.field = id("a"), .max_length = 2, .weights = "w"}}), table), 1U);
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
                    Contradiction{"offset_below_zero",
                                  [](Table& table) {
                                    table.chunk().offset = table.chunk().length = 1;
                                    table.column(1).array.offset = -1;
                                  }},
                    Contradiction{"offsets_beyond_all",
                                  [](Table& table) {
                                    table.chunk().offset = table.chunk().length = 1;
                                    table.column(1).array.offset = std::numeric_limits<std::int64_t>::max();
                                  }},
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
