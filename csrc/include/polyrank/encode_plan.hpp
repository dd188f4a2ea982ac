#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "polyrank/source.hpp"

/// What a table becomes: groups of slots, each filled from one or several columns.
namespace polyrank {

/// A column, found by name, and how its values are read.
struct Field {
  std::string name;
  Reading reading;
};

/// One value: one slot of `ids`.
struct CategoricalGroup {
  Field field;
};

/// A list of values: `max_length` slots, the head of the list, padded with -1. With `weights`, a second list column
/// gives as many slots of `weights`, 0 where padded or null.
struct BagGroup {
  Field field;
  std::size_t max_length = 0;
  std::string weights;  ///< empty: none
};

/// Several values hashed as one: one slot.
struct CrossGroup {
  std::vector<Field> parts;
};

/// The n-grams of a text, by size as listed, then by place: `max_length` slots, the head of them, padded with -1.
struct NGramGroup {
  Field field;
  std::vector<std::size_t> sizes;
  std::size_t max_length = 0;
};

/// A number: one column of `dense`, NaN where missing.
struct NumberGroup {
  std::string name;
  bool is_non_negative = false;  ///< refuse numbers below 0
};

/// A list of exactly `dim` numbers: as many columns of `dense`, NaN where the list is missing.
struct VectorGroup {
  std::string name;
  std::size_t dim = 0;
};

using Group = std::variant<CategoricalGroup, BagGroup, CrossGroup, NGramGroup, NumberGroup, VectorGroup>;

/// One group with its place: the columns it reads and where its slots begin.
struct PlacedGroup {
  Group group;
  std::vector<std::size_t> columns;  ///< indices into Plan::columns()
  std::size_t slot = 0;              ///< first column of `ids`, or of `dense`
  std::size_t num_slots = 0;         ///< columns of `ids`
  std::size_t num_dense = 0;         ///< columns of `dense`
  std::size_t weight = 0;            ///< first column of `weights`
};

/// Slot groups in order. Immutable; safe to share between threads.
class Plan {
 public:
  explicit Plan(std::vector<Group> groups);

  [[nodiscard]] const std::vector<PlacedGroup>& groups() const noexcept { return groups_; }
  [[nodiscard]] const std::vector<std::string>& columns() const noexcept { return columns_; }  ///< each once
  [[nodiscard]] std::size_t num_slots() const noexcept { return num_slots_; }
  [[nodiscard]] std::size_t num_weights() const noexcept { return num_weights_; }
  [[nodiscard]] std::size_t num_dense() const noexcept { return num_dense_; }

 private:
  void place(PlacedGroup& placed);
  std::size_t column(const std::string& name);

  std::vector<PlacedGroup> groups_;
  std::vector<std::string> columns_;
  std::size_t num_slots_ = 0;
  std::size_t num_weights_ = 0;
  std::size_t num_dense_ = 0;
};

}  // namespace polyrank
