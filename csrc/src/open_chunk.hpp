#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "polyrank/encode.hpp"
#include "slot_writers.hpp"

namespace polyrank {

/// Throws the same error with the name of the group's column before it.
[[noreturn]] void refuse_column(const Plan& plan, std::size_t group, const std::invalid_argument& error);

/// One chunk of a table, opened for a plan.
class OpenChunk {
 public:
  static constexpr std::size_t kAbsent = std::numeric_limits<std::size_t>::max();

  /// `children` says which child of the chunk each of the plan's columns is, if any. `first_row` is the chunk's in the
  /// table.
  OpenChunk(const Plan& plan, const ArrowSchema& schema, const ArrowArray& chunk, std::span<const std::size_t> children,
            std::size_t first_row);

  [[nodiscard]] std::size_t first_row() const noexcept { return first_row_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Opens one group of the plan. Groups may be opened on several threads at once. Throws Refusal, UnknownLayout,
  /// std::invalid_argument.
  void open(std::size_t group);

  /// Forgets a group, so that its slots are left alone.
  void close(std::size_t group) { groups_[group] = {}; }

  /// Whether `written` shares memory with a column of the plan.
  [[nodiscard]] bool shares_memory(std::span<const std::byte> written) const;

  /// Brings neighbouring slots together, once all groups are open.
  void seal();

  /// Writes rows [begin, begin + count) of this chunk to the first rows of `out`. Throws GroupRefusal.
  void encode_block(const Matrices& out, std::size_t begin, std::size_t count) const;

 private:
  struct OpenGroup {
    std::unique_ptr<SlotColumn> column;
    std::unique_ptr<SlotRows> rows;
    std::optional<NumberColumn> numbers;
    std::optional<VectorRows> vectors;
  };
  // Neighbouring columns of a matrix, transposed together; up to as many as fill a cache line.
  struct Tile {
    std::size_t first_column;
    std::vector<std::size_t> groups;
  };
  class FirstRefusal;

  void open(const CategoricalGroup& group, const PlacedGroup& placed, OpenGroup& into);
  void open(const BagGroup& group, const PlacedGroup& placed, OpenGroup& into);
  void open(const CrossGroup& group, const PlacedGroup& placed, OpenGroup& into);
  void open(const NGramGroup& group, const PlacedGroup& placed, OpenGroup& into);
  void open(const NumberGroup& group, const PlacedGroup& placed, OpenGroup& into);
  void open(const VectorGroup& group, const PlacedGroup& placed, OpenGroup& into);
  void write_rows(std::size_t group, const Matrices& out, std::size_t begin, std::size_t count) const;
  [[nodiscard]] const ArrowSchema& schema_of(std::size_t column) const { return *schema_.children[children_[column]]; }
  [[nodiscard]] const ArrowArray& array_of(std::size_t column) const { return arrays_[column]; }
  static void append(std::vector<Tile>& tiles, std::size_t max_columns, std::size_t column, std::size_t group);

  const Plan& plan_;
  const ArrowSchema& schema_;
  std::span<const std::size_t> children_;
  std::size_t first_row_;
  std::size_t size_;
  std::vector<ArrowArray> arrays_;  // of each of the plan's columns, cut to the rows of the chunk
  std::vector<OpenGroup> groups_;
  std::vector<Tile> slot_tiles_;
  std::vector<Tile> number_tiles_;
};

}  // namespace polyrank
