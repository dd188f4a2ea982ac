#include <algorithm>
#include <array>

#include "polyrank/fingerprint.hpp"
#include "slot_writers.hpp"

namespace polyrank {
namespace {

// Values of several lists that lie side by side are hashed in one call, so that short lists fill the lanes of a kernel.
class ValuePieces {
 public:
  ValuePieces(const Source& values, std::size_t first_row, MatrixRows<std::int64_t> ids)
      : values_(values), first_row_(first_row), ids_(ids) {}

  /// Takes the values of row `first_row + row`: those that fit go to its slots, the others are hashed and dropped.
  void take(std::size_t row, Range values) {
    for (std::size_t position = 0; values.size > 0;) {
      if (size_ == kPieceValues || (size_ > 0 && values.begin != begin_ + size_)) {
        flush();
      }
      if (size_ == 0) {
        begin_ = values.begin;
      }
      const std::size_t count = std::min(values.size, kPieceValues - size_);
      cuts_[num_cuts_++] = {.row = row, .position = position, .offset = size_, .count = count};
      size_ += count;
      position += count;
      values = {.begin = values.begin + count, .size = values.size - count};
    }
  }

  void flush() {
    const std::span piece(piece_.data(), size_);
    try {
      values_.fingerprint(begin_, piece);
    } catch (const Refusal& refusal) {
      throw Refusal(refusal.reason(), first_row_ + row_of(refusal.row() - begin_));
    }
    for (const Cut& cut : std::span(cuts_.data(), num_cuts_)) {
      if (cut.position < ids_.width) {
        std::copy_n(piece.data() + cut.offset, std::min(cut.count, ids_.width - cut.position),
                    ids_.row(cut.row).data() + cut.position);
      }
    }
    size_ = num_cuts_ = 0;
  }

 private:
  struct Cut {
    std::size_t row;
    std::size_t position;  ///< of its first value in the list
    std::size_t offset;    ///< of its first value in the piece
    std::size_t count;
  };
  static constexpr std::size_t kPieceValues = 256;

  [[nodiscard]] std::size_t row_of(std::size_t offset) const noexcept {
    const auto after = std::upper_bound(cuts_.begin(), cuts_.begin() + static_cast<std::ptrdiff_t>(num_cuts_), offset,
                                        [](std::size_t at, const Cut& cut) { return at < cut.offset; });
    return std::prev(after)->row;
  }

  const Source& values_;
  std::size_t first_row_;
  MatrixRows<std::int64_t> ids_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
  std::size_t num_cuts_ = 0;
  std::array<Cut, kPieceValues> cuts_;
  std::array<std::int64_t, kPieceValues> piece_;
};

}  // namespace

void BagSlots::write(std::size_t begin, std::size_t count, MatrixRows<std::int64_t> ids,
                     MatrixRows<float> weights) const {
  std::array<Range, kPieceRows> piece;
  for (std::size_t done = 0; done < count; done += kPieceRows) {
    const std::span lists(piece.data(), std::min(kPieceRows, count - done));
    try {
      write_lists(begin + done, lists, ids.from_row(done));
    } catch (const Refusal& refusal) {
      if (weights_) {  // a wrong weight in a row before is told first
        write_weights(begin + done, lists.first(refusal.row() - begin - done), weights.from_row(done));
      }
      throw;
    }
    if (weights_) {
      write_weights(begin + done, lists, weights.from_row(done));
    }
  }
}

void BagSlots::write_lists(std::size_t begin, std::span<Range> lists, MatrixRows<std::int64_t> ids) const {
  lists_.ranges(begin, lists);
  for (std::size_t row = 0; row < lists.size(); ++row) {
    const auto slots = ids.row(row);
    std::fill(slots.begin() + static_cast<std::ptrdiff_t>(std::min(lists[row].size, ids.width)), slots.end(), kMissing);
  }
  if (values_ == nullptr) {
    return;
  }
  ValuePieces pieces(*values_, begin, ids);
  for (std::size_t row = 0; row < lists.size(); ++row) {
    const std::size_t size = can_refuse_ ? lists[row].size : std::min(lists[row].size, ids.width);
    pieces.take(row, {.begin = lists[row].begin, .size = size});
  }
  pieces.flush();
}

void BagSlots::write_weights(std::size_t begin, std::span<const Range> values, MatrixRows<float> out) const {
  std::array<Range, kPieceRows> block;
  const std::span ranges(block.data(), values.size());
  weights_->lists.ranges(begin, ranges);
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (ranges[row].size != values[row].size) {
      throw Refusal(Reason::kLengths, begin + row);
    }
    try {
      read_weights(ranges[row], out.row(row));
    } catch (const Refusal& refusal) {
      throw Refusal(refusal.reason(), begin + row);
    }
  }
}

// Weights behind the last slot are read too, so that no list hides a wrong one.
void BagSlots::read_weights(Range list, std::span<float> slots) const {
  const auto kept = slots.first(std::min(list.size, slots.size()));
  if (!kept.empty()) {
    weights_->numbers->read(list.begin, kept);
    std::replace_if(kept.begin(), kept.end(), [](float weight) { return weight != weight; }, 0.0F);
  }
  std::fill(slots.begin() + static_cast<std::ptrdiff_t>(kept.size()), slots.end(), 0.0F);
  std::array<float, kPieceRows> dropped;
  for (std::size_t at = kept.size(); at < list.size; at += dropped.size()) {
    weights_->numbers->read(list.begin + at, std::span(dropped).first(std::min(dropped.size(), list.size - at)));
  }
}

}  // namespace polyrank
