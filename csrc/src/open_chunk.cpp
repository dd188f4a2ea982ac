#include "open_chunk.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "arrow_buffers.hpp"
#include "polyrank/shared_memory.hpp"

namespace polyrank {
namespace {

// Slicing a struct array moves its own offset and length and leaves its children as they are.
ArrowArray cut_to(const ArrowArray& child, const ArrowArray& parent, const std::string& name) {
  if (child.length < 0 || parent.offset > child.length || parent.length > child.length - parent.offset) {
    refuse_array("column '" + name + "' has " + std::to_string(child.length) + " rows, but its table reads [" +
                 std::to_string(parent.offset) + ", " + std::to_string(parent.offset + parent.length) + ")");
  }
  if (child.offset < 0 || child.offset > std::numeric_limits<std::int64_t>::max() - parent.offset) {
    refuse_array("offset " + std::to_string(child.offset) + " of column '" + name +
                 "' must be 0 or above and fit 64 bits together with its table's");
  }
  ArrowArray cut = child;
  if (parent.offset != 0 || parent.length != child.length) {
    cut.offset += parent.offset;
    cut.length = parent.length;
    cut.null_count = child.null_count == 0 ? 0 : -1;
  }
  return cut;
}

// Text and integers have a canonical form under `text` whatever they hold, and int64's under `int64`.
bool can_refuse(const ArrowSchema& schema, Dtype dtype) {
  const std::string_view format = schema.format;
  if (schema.dictionary != nullptr) {
    return true;
  }
  const std::string_view numbers = dtype == Dtype::kText ? "ncCsSiIlLb" : "ncCsSiIlb";
  const bool is_number = format.size() == 1 && numbers.find(format[0]) != std::string_view::npos;
  const bool is_text = format == "u" || format == "U" || format == "vu" || format == "z" || format == "Z";
  return !(is_number || (is_text && dtype == Dtype::kText));
}

std::unique_ptr<Source> open_values(const ListColumn& lists, const Reading& reading) {
  try {
    return open_source(lists.child_schema(), lists.child(), reading);
  } catch (const WrongIndex& wrong) {
    throw wrong.in_lists();
  }
}

std::optional<NumberColumn> numbers_of(const ListColumn& lists) {
  return lists.has_child() ? std::optional(NumberColumn(lists.child_schema(), lists.child())) : std::nullopt;
}

template <typename T>
constexpr std::size_t kLineColumns = 64 / sizeof(T);

// Columns of a block, side by side, padded so that the same row of all of them does not fall into one set of the cache.
template <typename T>
class Scratch {
 public:
  explicit Scratch(std::size_t num_rows)
      : num_rows_(num_rows),
        stride_(num_rows + kLineColumns<T>),
        cells_(std::make_unique_for_overwrite<T[]>(kLineColumns<T> * stride_)) {}

  [[nodiscard]] std::span<T> column(std::size_t index) noexcept { return {cells_.get() + index * stride_, num_rows_}; }

  void transpose(std::size_t num_columns, T* out, std::size_t out_stride) const noexcept {
    for (std::size_t row = 0; row < num_rows_; ++row) {
      if (num_columns == kLineColumns<T>) {
        copy_row(kLineColumns<T>, row, out + row * out_stride);  // a number that the compiler knows
      } else {
        copy_row(num_columns, row, out + row * out_stride);
      }
    }
  }

 private:
  void copy_row(std::size_t num_columns, std::size_t row, T* out) const noexcept {
    for (std::size_t column = 0; column < num_columns; ++column) {
      out[column] = cells_[column * stride_ + row];
    }
  }

  std::size_t num_rows_;
  std::size_t stride_;
  std::unique_ptr<T[]> cells_;
};

}  // namespace

void refuse_column(const Plan& plan, std::size_t group, const std::invalid_argument& error) {
  throw std::invalid_argument("column '" + plan.columns()[plan.groups()[group].columns[0]] + "': " + error.what());
}

// Of the refusals in one block, that of the first row, and there that of the first group.
class OpenChunk::FirstRefusal {
 public:
  explicit FirstRefusal(const Plan& plan) noexcept : plan_(plan) {}

  template <typename Call>
  void watch(std::size_t group, const Call& call) {
    try {
      call();
    } catch (const Refusal& refusal) {
      const std::pair found(refusal.row(), group);
      first_ = first_ ? std::min(*first_, found) : found;
    } catch (const std::invalid_argument& error) {
      refuse_column(plan_, group, error);
    }
  }

  void rethrow(std::size_t first_row) const {
    if (first_) {
      throw GroupRefusal(first_->second, first_row + first_->first);
    }
  }

 private:
  const Plan& plan_;
  std::optional<std::pair<std::size_t, std::size_t>> first_;
};

OpenChunk::OpenChunk(const Plan& plan, const ArrowSchema& schema, const ArrowArray& chunk,
                     std::span<const std::size_t> children, std::size_t first_row)
    : plan_(plan),
      schema_(schema),
      children_(children),
      first_row_(first_row),
      size_(static_cast<std::size_t>(chunk.length)),
      groups_(plan.groups().size()) {
  for (std::size_t column = 0; column < children_.size(); ++column) {
    const std::size_t child = children_[column];
    arrays_.push_back(child == kAbsent ? ArrowArray{} : cut_to(*chunk.children[child], chunk, plan.columns()[column]));
  }
}

void OpenChunk::open(std::size_t group) {
  const PlacedGroup& placed = plan_.groups()[group];
  std::visit([&](const auto& described) { open(described, placed, groups_[group]); }, placed.group);
}

void OpenChunk::open(const CategoricalGroup& group, const PlacedGroup& placed, OpenGroup& into) {
  const std::size_t column = placed.columns[0];
  into.column =
      std::make_unique<CategoricalSlot>(open_source(schema_of(column), array_of(column), group.field.reading));
}

void OpenChunk::open(const BagGroup& group, const PlacedGroup& placed, OpenGroup& into) {
  const ListColumn lists(schema_of(placed.columns[0]), array_of(placed.columns[0]));
  std::unique_ptr<Source> values;
  bool is_checked = false;
  if (lists.has_child()) {
    values = open_values(lists, group.field.reading);
    is_checked = can_refuse(lists.child_schema(), group.field.reading.dtype);
  }
  auto slots = std::make_unique<BagSlots>(lists, std::move(values), is_checked);
  if (!group.weights.empty()) {
    const ListColumn weights(schema_of(placed.columns[1]), array_of(placed.columns[1]));
    slots->weigh(weights, numbers_of(weights));
  }
  into.rows = std::move(slots);
}

void OpenChunk::open(const CrossGroup& group, const PlacedGroup& placed, OpenGroup& into) {
  std::vector<std::unique_ptr<Source>> parts;
  for (std::size_t part = 0; part < group.parts.size(); ++part) {
    const std::size_t column = placed.columns[part];
    parts.push_back(open_source(schema_of(column), array_of(column), group.parts[part].reading));
  }
  into.column = std::make_unique<CrossSlot>(std::move(parts), group.parts.front().reading.seed);
}

void OpenChunk::open(const NGramGroup& group, const PlacedGroup& placed, OpenGroup& into) {
  into.rows = std::make_unique<NGramSlots>(schema_of(placed.columns[0]), array_of(placed.columns[0]), group);
}

void OpenChunk::open(const NumberGroup& group, const PlacedGroup& placed, OpenGroup& into) {
  const std::size_t column = placed.columns[0];
  into.numbers.emplace(schema_of(column), array_of(column), group.is_non_negative);
}

void OpenChunk::open(const VectorGroup&, const PlacedGroup& placed, OpenGroup& into) {
  const ListColumn lists(schema_of(placed.columns[0]), array_of(placed.columns[0]));
  into.vectors.emplace(lists, numbers_of(lists));
}

bool OpenChunk::shares_memory(std::span<const std::byte> written) const {
  for (std::size_t column = 0; column < children_.size(); ++column) {
    if (children_[column] != kAbsent && polyrank::shares_memory(schema_of(column), array_of(column), written)) {
      return true;
    }
  }
  return false;
}

void OpenChunk::seal() {
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const std::size_t column = plan_.groups()[group].slot;
    if (groups_[group].column != nullptr) {
      append(slot_tiles_, kLineColumns<std::int64_t>, column, group);
    } else if (groups_[group].numbers) {
      append(number_tiles_, kLineColumns<float>, column, group);
    }
  }
}

void OpenChunk::append(std::vector<Tile>& tiles, std::size_t max_columns, std::size_t column, std::size_t group) {
  if (tiles.empty() || tiles.back().groups.size() == max_columns ||
      tiles.back().first_column + tiles.back().groups.size() != column) {
    tiles.push_back({.first_column = column, .groups = {}});
  }
  tiles.back().groups.push_back(group);
}

void OpenChunk::encode_block(const Matrices& out, std::size_t begin, std::size_t count) const {
  FirstRefusal refusal(plan_);
  Scratch<std::int64_t> slots(slot_tiles_.empty() ? 0 : count);
  for (const Tile& tile : slot_tiles_) {
    for (std::size_t i = 0; i < tile.groups.size(); ++i) {
      refusal.watch(tile.groups[i], [&] { groups_[tile.groups[i]].column->read(begin, slots.column(i)); });
    }
    slots.transpose(tile.groups.size(), out.ids + tile.first_column, plan_.num_slots());
  }
  Scratch<float> numbers(number_tiles_.empty() ? 0 : count);
  for (const Tile& tile : number_tiles_) {
    for (std::size_t i = 0; i < tile.groups.size(); ++i) {
      refusal.watch(tile.groups[i], [&] { groups_[tile.groups[i]].numbers->read(begin, numbers.column(i)); });
    }
    numbers.transpose(tile.groups.size(), out.dense + tile.first_column, plan_.num_dense());
  }
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    refusal.watch(group, [&] { write_rows(group, out, begin, count); });
  }
  refusal.rethrow(first_row_);
}

void OpenChunk::write_rows(std::size_t group, const Matrices& out, std::size_t begin, std::size_t count) const {
  const OpenGroup& opened = groups_[group];
  const PlacedGroup& placed = plan_.groups()[group];
  if (opened.rows != nullptr) {
    const MatrixRows<std::int64_t> ids{out.ids + placed.slot, plan_.num_slots(), placed.num_slots};
    const MatrixRows<float> weights{out.weights == nullptr ? nullptr : out.weights + placed.weight, plan_.num_weights(),
                                    placed.num_slots};
    opened.rows->write(begin, count, ids, weights);
  } else if (opened.vectors) {
    opened.vectors->write(begin, count, {out.dense + placed.slot, plan_.num_dense(), placed.num_dense});
  }
}

}  // namespace polyrank
