#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "list_column.hpp"
#include "number_column.hpp"
#include "polyrank/encode_plan.hpp"
#include "polyrank/source.hpp"
#include "text_column.hpp"

/// The groups of a plan, opened on the columns of one chunk. They borrow its arrays and are safe to share.
namespace polyrank {

/// As many rows as are held in one piece where rows need scratch: it lies on the stack and in the L1 cache.
inline constexpr std::size_t kPieceRows = 256;

/// Columns of a row-major matrix, `width` of them, in neighbouring rows.
template <typename T>
struct MatrixRows {
  T* first = nullptr;
  std::size_t stride = 0;
  std::size_t width = 0;

  [[nodiscard]] std::span<T> row(std::size_t index) const noexcept { return {first + index * stride, width}; }
  [[nodiscard]] MatrixRows from_row(std::size_t index) const noexcept {
    return {.first = first == nullptr ? nullptr : first + index * stride, .stride = stride, .width = width};
  }
};

/// One slot: a column of fingerprints.
class SlotColumn {
 public:
  SlotColumn() = default;
  virtual ~SlotColumn() = default;
  SlotColumn(const SlotColumn&) = delete;
  SlotColumn& operator=(const SlotColumn&) = delete;

  /// Rows [begin, begin + out.size()). Throws as Source does; a Refusal is of the first row that has one.
  virtual void read(std::size_t begin, std::span<std::int64_t> out) const = 0;
};

/// Several slots, written row by row.
class SlotRows {
 public:
  SlotRows() = default;
  virtual ~SlotRows() = default;
  SlotRows(const SlotRows&) = delete;
  SlotRows& operator=(const SlotRows&) = delete;

  /// Rows [begin, begin + count). Throws as Source does; a Refusal is of the first row that has one.
  virtual void write(std::size_t begin, std::size_t count, MatrixRows<std::int64_t> ids,
                     MatrixRows<float> weights) const = 0;
};

class CategoricalSlot final : public SlotColumn {
 public:
  explicit CategoricalSlot(std::unique_ptr<Source> source) : source_(std::move(source)) {}
  void read(std::size_t begin, std::span<std::int64_t> out) const override { source_->fingerprint(begin, out); }

 private:
  std::unique_ptr<Source> source_;
};

class CrossSlot final : public SlotColumn {
 public:
  CrossSlot(std::vector<std::unique_ptr<Source>> parts, std::uint64_t seed) : parts_(std::move(parts)), seed_(seed) {}
  void read(std::size_t begin, std::span<std::int64_t> out) const override;

 private:
  std::vector<std::unique_ptr<Source>> parts_;
  std::uint64_t seed_;
};

/// The lists of one column, without weights or with those of a second one.
class BagSlots final : public SlotRows {
 public:
  /// `values` reads the child of `lists`; none where that has no child. `can_refuse` says whether it refuses values:
  /// then those of a tail are read too, so that no list hides a wrong one.
  BagSlots(ListColumn lists, std::unique_ptr<Source> values, bool can_refuse)
      : lists_(lists), values_(std::move(values)), can_refuse_(can_refuse) {}

  void weigh(ListColumn lists, std::optional<NumberColumn> numbers) { weights_.emplace(Weights{lists, numbers}); }

  void write(std::size_t begin, std::size_t count, MatrixRows<std::int64_t> ids,
             MatrixRows<float> weights) const override;

 private:
  struct Weights {
    ListColumn lists;
    std::optional<NumberColumn> numbers;
  };

  void write_lists(std::size_t begin, std::span<Range> lists, MatrixRows<std::int64_t> ids) const;
  void write_weights(std::size_t begin, std::span<const Range> values, MatrixRows<float> out) const;
  void read_weights(Range list, std::span<float> slots) const;

  ListColumn lists_;
  std::unique_ptr<Source> values_;
  bool can_refuse_;
  std::optional<Weights> weights_;
};

/// The n-grams of a text column.
class NGramSlots final : public SlotRows {
 public:
  NGramSlots(const ArrowSchema& schema, const ArrowArray& array, const NGramGroup& group)
      : texts_(schema, array), group_(group) {}

  void write(std::size_t begin, std::size_t count, MatrixRows<std::int64_t> ids,
             MatrixRows<float> weights) const override;

 private:
  TextColumn texts_;
  const NGramGroup& group_;
};

/// Lists of a fixed number of numbers, written row by row to as many columns of `dense`.
class VectorRows {
 public:
  /// `numbers` reads the child of `lists`; none where that has no child.
  VectorRows(ListColumn lists, std::optional<NumberColumn> numbers) : lists_(lists), numbers_(std::move(numbers)) {}

  /// Rows [begin, begin + count), NaN for a null list. Throws Refusal, also for a number that is missing in a list.
  void write(std::size_t begin, std::size_t count, MatrixRows<float> dense) const;

 private:
  void write_list(std::size_t row, Range values, std::span<float> out) const;

  ListColumn lists_;
  std::optional<NumberColumn> numbers_;
};

}  // namespace polyrank
