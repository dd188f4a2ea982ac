#include "polyrank/tensor_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polyrank {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

using Bytes = std::vector<std::byte>;

Bytes texts(const std::vector<std::string>& values) {
  Bytes bytes;
  for (const std::string& value : values) {
    const auto size = static_cast<std::uint32_t>(value.size());
    const auto* length = reinterpret_cast<const std::byte*>(&size);
    bytes.insert(bytes.end(), length, length + sizeof(size));
    const auto* text = reinterpret_cast<const std::byte*>(value.data());
    bytes.insert(bytes.end(), text, text + value.size());
  }
  return bytes;
}

template <typename T>
Bytes numbers(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

class Exported {
 public:
  Exported(std::vector<TensorColumn> columns, std::size_t num_rows) {
    export_tensors(columns, num_rows, schema, array);
  }
  Exported(const Exported&) = delete;
  Exported& operator=(const Exported&) = delete;
  ~Exported() {
    schema.release(&schema);
    array.release(&array);
  }

  [[nodiscard]] std::string format(std::size_t column) const { return schema.children[column]->format; }
  [[nodiscard]] const ArrowArray& column(std::size_t index) const { return *array.children[index]; }

  ArrowSchema schema{};
  ArrowArray array{};
};

template <typename T>
std::vector<T> buffer(const ArrowArray& array, std::size_t index, std::size_t count) {
  const auto* values = static_cast<const T*>(array.buffers[index]);
  return {values, values + count};
}

TEST(TensorTable, TextsAreStringsAndANulIsNull) {
  const Bytes content = texts({"ab", std::string(1, '\0'), ""});
  const Exported table({{"word", TensorType::kBytes, TensorRows::kValues, 1, content}}, 3);
  EXPECT_EQ(table.format(0), "U");
  EXPECT_EQ(table.column(0).null_count, 1);
  EXPECT_EQ(buffer<std::int64_t>(table.column(0), 1, 4), (std::vector<std::int64_t>{0, 2, 3, 3}));
  EXPECT_EQ(buffer<std::uint8_t>(table.column(0), 0, 1)[0] & 7, 0b101);
}

TEST(TensorTable, IntegersKeepMinusOneAndLoseTheLowest) {
  const Bytes content = numbers<std::int64_t>({-1, std::numeric_limits<std::int64_t>::min()});
  const Exported table({{"item", TensorType::kInt64, TensorRows::kValues, 1, content}}, 2);
  EXPECT_EQ(table.column(0).null_count, 1);
  EXPECT_EQ(buffer<std::uint8_t>(table.column(0), 0, 1)[0] & 3, 0b01);
}

TEST(TensorTable, PaddingBehindTheLastValueIsCutOff) {
  const Bytes content = numbers<std::int64_t>({5, -1, 7, -1, -1, -1, -1, -1});
  const Exported table({{"seen", TensorType::kInt64, TensorRows::kLists, 4, content}}, 2);
  EXPECT_EQ(table.format(0), "+L");
  EXPECT_EQ(buffer<std::int64_t>(table.column(0), 1, 3), (std::vector<std::int64_t>{0, 3, 3}));
  EXPECT_EQ(table.column(0).children[0]->null_count, 1);
  EXPECT_EQ(table.column(0).null_count, 1);
}

TEST(TensorTable, WeightsAreAsLongAsWhatTheyWeigh) {
  const Bytes items = numbers<std::int64_t>({5, 6, -1});
  const Bytes weights = numbers<float>({0.5F, 0.0F, 0.0F});
  const Exported table({{"shares", TensorType::kFloat, TensorRows::kLists, 3, weights, 1},
                        {"liked", TensorType::kInt64, TensorRows::kLists, 3, items}},
                       1);
  EXPECT_EQ(buffer<std::int64_t>(table.column(0), 1, 2), (std::vector<std::int64_t>{0, 2}));
}

TEST(TensorTable, VectorOfNothingIsNull) {
  const Bytes content = numbers<float>({kNaN, kNaN, 1.0F, kNaN});
  const Exported table({{"place", TensorType::kFloat, TensorRows::kVectors, 2, content}}, 2);
  EXPECT_EQ(table.format(0), "+w:2");
  EXPECT_EQ(table.column(0).null_count, 1);
}

TEST(TensorTable, TensorThatWasNotSentIsNullThroughout) {
  const Exported table({{"word", TensorType::kBytes, TensorRows::kValues, 1, std::nullopt}}, 2);
  EXPECT_EQ(table.format(0), "n");
  EXPECT_EQ(table.column(0).length, 2);
}

TEST(TensorTable, ChildThatWasMovedAwayOutlivesItsTable) {
  const Bytes content = texts({"ab"});
  ArrowArray moved{};
  {
    const Exported table({{"word", TensorType::kBytes, TensorRows::kValues, 1, content}}, 1);
    moved = *table.array.children[0];
    table.array.children[0]->release = nullptr;
  }
  EXPECT_EQ(std::string_view(static_cast<const char*>(moved.buffers[2]), 2), "ab");
  moved.release(&moved);
}

void export_content(TensorType type, const Bytes& content, std::size_t num_rows) {
  const Exported table({{"x", type, TensorRows::kValues, 1, content}}, num_rows);
}

TEST(TensorTable, ContentThatIsNotItsElementsIsRefused) {
  const Bytes two = texts({"a", "b"});
  const Bytes cut(two.begin(), two.end() - 1);
  EXPECT_THROW(export_content(TensorType::kBytes, two, 1), std::invalid_argument);
  EXPECT_THROW(export_content(TensorType::kBytes, two, 3), std::invalid_argument);
  EXPECT_THROW(export_content(TensorType::kBytes, cut, 2), std::invalid_argument);
  EXPECT_THROW(export_content(TensorType::kBytes, texts({"\xff"}), 1), std::invalid_argument);
  EXPECT_THROW(export_content(TensorType::kFloat, two, 2), std::invalid_argument);
}

}  // namespace
}  // namespace polyrank
