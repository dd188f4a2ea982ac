#include "slot_writers.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "polyrank/fingerprint.hpp"
#include "polyrank/ngrams.hpp"

namespace polyrank {

void CrossSlot::read(std::size_t begin, std::span<std::int64_t> out) const {
  std::array<std::uint64_t, kPieceRows> states;
  std::array<std::uint8_t, kPieceRows> is_missing;
  for (std::size_t count = 0; !out.empty(); begin += count, out = out.subspan(count)) {
    count = std::min(out.size(), kPieceRows);
    std::fill_n(states.begin(), count, seed_);
    std::fill_n(is_missing.begin(), count, std::uint8_t{0});
    std::optional<Refusal> refused;  // of the first row that any part refuses
    for (const auto& part : parts_) {
      const std::size_t before = refused ? refused->row() - begin : count;
      try {
        part->chain(begin, std::span(states.data(), before), std::span(is_missing.data(), before));
      } catch (const Refusal& refusal) {
        refused = refusal;
      }
    }
    if (refused) {
      throw *refused;
    }
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = is_missing[i] != 0 ? kMissing : to_fingerprint(states[i]);
    }
  }
}

void NGramSlots::write(std::size_t begin, std::size_t count, MatrixRows<std::int64_t> ids, MatrixRows<float>) const {
  const auto& missing = group_.field.reading.missing;
  NGrams ngrams(group_.sizes, group_.field.reading.seed);
  for (std::size_t row = 0; row < count; ++row) {
    const auto slots = ids.row(row);
    const auto pad = [&] { std::fill(slots.begin(), slots.end(), kMissing); };
    const auto read = [&](std::span<const std::uint8_t> text) {
      const std::string_view token(reinterpret_cast<const char*>(text.data()), text.size());
      if (std::find(missing.begin(), missing.end(), token) != missing.end()) {
        pad();
      } else if (!ngrams.write(text, slots)) {
        throw Refusal(Reason::kInvalidUtf8, begin + row);
      }
    };
    texts_.visit(begin + row, read, pad);
  }
}

}  // namespace polyrank
