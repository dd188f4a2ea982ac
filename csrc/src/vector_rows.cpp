#include <algorithm>
#include <array>
#include <limits>

#include "slot_writers.hpp"

namespace polyrank {

void VectorRows::write(std::size_t begin, std::size_t count, MatrixRows<float> dense) const {
  std::array<Range, kPieceRows> piece;
  for (std::size_t done = 0; done < count; done += kPieceRows) {
    const std::span lists(piece.data(), std::min(kPieceRows, count - done));
    lists_.ranges(begin + done, lists);
    for (std::size_t i = 0; i < lists.size(); ++i) {
      write_list(begin + done + i, lists[i], dense.row(done + i));
    }
  }
}

void VectorRows::write_list(std::size_t row, Range values, std::span<float> out) const {
  if (lists_.is_null(row)) {
    std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
    return;
  }
  if (values.size != out.size()) {
    throw Refusal(Reason::kLengths, row);
  }
  try {
    numbers_->read(values.begin, out);
  } catch (const Refusal& refusal) {
    throw Refusal(refusal.reason(), row);
  }
  int num_missing = 0;
  for (const float number : out) {
    num_missing += static_cast<int>(number != number);
  }
  if (num_missing > 0) {
    throw Refusal(Reason::kNotFinite, row);
  }
}

}  // namespace polyrank
