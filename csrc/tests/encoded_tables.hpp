#pragma once

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "polyrank/encode.hpp"
#include "polyrank/fingerprint.hpp"

/// Tables made by hand, and what they are encoded into.
namespace polyrank {

inline std::int64_t hashed(std::int64_t value) {
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

inline std::unique_ptr<Column> integers(std::string name, std::vector<std::int64_t> values) {
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

inline std::unique_ptr<Column> floats(std::string name, const std::vector<double>& values) {
  std::vector<std::int64_t> bits;
  for (const double value : values) {
    bits.push_back(std::bit_cast<std::int64_t>(value));
  }
  auto column = integers(std::move(name), bits);
  column->format = "g";
  column->schema.format = column->format.c_str();
  return column;
}

inline std::unique_ptr<Column> lists(std::string name, std::vector<std::int64_t> offsets,
                                     std::unique_ptr<Column> child) {
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

inline Field id(std::string name) {
  return {.name = std::move(name), .reading = {.dtype = Dtype::kInt64, .missing = {}}};
}

struct Encoded {
  std::vector<std::int64_t> ids;
  std::vector<float> weights;
  std::vector<float> dense;
};

inline Encoded encode(const Plan& plan, const ArrowSchema& schema, const std::vector<const ArrowArray*>& chunks,
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

}  // namespace polyrank
