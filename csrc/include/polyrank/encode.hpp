#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "polyrank/arrow_c_data.hpp"
#include "polyrank/encode_plan.hpp"

/// A whole table into the arrays of a model, in one pass.
namespace polyrank {

/// A value that a group of the plan refuses, whatever the number of threads: of several that of the first row, and of
/// these that of the first group. Where whole types are refused, it is thrown at opening, for the first such group.
class GroupRefusal : public std::exception {
 public:
  GroupRefusal(std::size_t group, std::size_t row) noexcept : group_(group), row_(row) {}
  [[nodiscard]] std::size_t group() const noexcept { return group_; }
  [[nodiscard]] std::size_t row() const noexcept { return row_; }  ///< counted from 0 within the table
  [[nodiscard]] const char* what() const noexcept override { return "a value has no canonical form"; }

 private:
  std::size_t group_;
  std::size_t row_;
};

/// Row-major matrices that the rows of a table are written to; one without columns may be null.
struct Matrices {
  std::int64_t* ids = nullptr;  ///< [B, Plan::num_slots()]
  float* weights = nullptr;     ///< [B, Plan::num_weights()]
  float* dense = nullptr;       ///< [B, Plan::num_dense()]

  [[nodiscard]] Matrices from_row(std::size_t row, const Plan& plan) const noexcept {
    return {.ids = ids == nullptr ? nullptr : ids + row * plan.num_slots(),
            .weights = weights == nullptr ? nullptr : weights + row * plan.num_weights(),
            .dense = dense == nullptr ? nullptr : dense + row * plan.num_dense()};
  }
};

class OpenChunk;

/// The columns of a table, opened for a plan. Borrows the plan, the schema and the chunks.
class OpenTable {
 public:
  /// `chunks` are struct arrays of `schema`, such as a stream of record batches gives; `is_whole` says that every
  /// column of the plan must be among theirs. Throws GroupRefusal, and std::invalid_argument for structures that
  /// contradict themselves.
  OpenTable(const Plan& plan, const ArrowSchema& schema, std::span<const ArrowArray* const> chunks, bool is_whole,
            std::size_t num_threads);
  ~OpenTable();
  OpenTable(const OpenTable&) = delete;
  OpenTable& operator=(const OpenTable&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// False where a column that must be there is not, or one is there twice, or whole rows are null: then nothing is
  /// open.
  [[nodiscard]] bool is_table() const noexcept { return is_table_; }

  /// Groups with a column that is not there or that no source reads, in order. `encode` leaves their slots alone.
  [[nodiscard]] const std::vector<std::size_t>& unread() const noexcept { return unread_; }

  /// Whether the columns of the plan share memory with `out`, which then must not be written while they are read.
  [[nodiscard]] bool shares_memory(const Matrices& out) const;

  /// Writes every row, on up to `num_threads` threads. Throws GroupRefusal.
  void encode(const Matrices& out, std::size_t num_threads) const;

 private:
  [[nodiscard]] bool find_columns(const ArrowSchema& schema, bool is_whole);
  void open_groups(std::size_t num_threads);
  [[nodiscard]] bool open_group(std::size_t group);
  void encode_rows(const Matrices& out, std::size_t begin, std::size_t end,
                   const std::function<bool()>& is_in_vain) const;

  const Plan& plan_;
  std::size_t size_ = 0;
  bool is_table_ = false;
  std::vector<std::size_t> children_;  // of each of the plan's columns
  std::vector<std::unique_ptr<OpenChunk>> chunks_;
  std::vector<std::size_t> unread_;
};

/// How many threads `num_cells` values are worth, at most `num_threads`: few values are encoded sooner than a thread
/// starts.
[[nodiscard]] std::size_t worthwhile_threads(std::size_t num_cells, std::size_t num_threads) noexcept;

}  // namespace polyrank
