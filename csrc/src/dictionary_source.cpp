#include "dictionary_source.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "row_number.hpp"

namespace polyrank {
namespace {

// Among fingerprints, what is below kMissing stands for a value that is refused.
constexpr std::int64_t refused_as(Reason reason) noexcept { return kMissing - 1 - static_cast<std::int64_t>(reason); }
constexpr Reason reason_of(std::int64_t known) noexcept { return static_cast<Reason>(kMissing - 1 - known); }

std::string worded(const std::string& index, const std::string& place, std::size_t row, std::size_t num_values) {
  return "arrow array: dictionary index " + index + " at " + place + " " + row_number(row) + " must be in [0, " +
         std::to_string(num_values) + ")";
}

// Fingerprints of all values, starting again after each that is refused.
std::vector<std::int64_t> known_values(const PlainSource& values) {
  std::vector<std::int64_t> known(values.size());
  for (std::size_t begin = 0; begin < known.size();) {
    std::size_t end = known.size();
    while (true) {
      try {
        values.fingerprint(begin, std::span(known).subspan(begin, end - begin));
        break;
      } catch (const Refusal& refusal) {
        end = refusal.row();
        known[end] = refused_as(refusal.reason());
      }
    }
    begin = end + 1;
  }
  return known;
}

std::vector<std::int64_t> refused_bytes(const ArrowBuffers& values) {
  std::vector<std::int64_t> known(values.size());
  for (std::size_t i = 0; i < known.size(); ++i) {
    known[i] = values.validity()[i] ? refused_as(Reason::kBytes) : kMissing;
  }
  return known;
}

// A dictionary this many times longer than its rows is not hashed as a whole.
constexpr std::size_t kSparse = 8;

template <typename Index>
class DictionarySource final : public Source {
 public:
  /// `known` has the fingerprints of all values, or is empty where `values` is to be asked for single ones. `values`
  /// may be null where all are known to be refused or missing.
  DictionarySource(const ArrowBuffers& indices, std::size_t num_values, std::vector<std::int64_t> known,
                   std::unique_ptr<PlainSource> values)
      : indices_(indices.values<Index>()),
        validity_(indices.validity()),
        known_(std::move(known)),
        values_(std::move(values)) {
    check_indices(num_values);
    is_refused_anywhere_ = std::any_of(known_.begin(), known_.end(), [](auto value) { return value < kMissing; });
  }

  [[nodiscard]] std::size_t size() const noexcept override { return indices_.size(); }

  void fingerprint(std::size_t begin, std::span<std::int64_t> out) const override {
    if (known_.empty() || is_refused_anywhere_) {
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = checked(begin + i);
      }
      return;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = validity_[begin + i] ? known_[index(begin + i)] : kMissing;
    }
  }

  void chain(std::size_t begin, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) const override {
    std::array<std::size_t, kBlockRows> rows;
    for_each_block(ChainTarget(states, is_missing), [&](std::size_t at, const ChainTarget& part) {
      for (std::size_t i = 0; i < part.size(); ++i) {
        const std::size_t row = begin + at + i;
        rows[i] = checked(row) == kMissing ? kNoRow : index(row);
      }
      if (values_ != nullptr) {
        values_->chain_at(std::span(rows).first(part.size()), part);
      } else {
        std::fill_n(is_missing.begin() + static_cast<std::ptrdiff_t>(at), part.size(), std::uint8_t{1});
      }
    });
  }

 private:
  [[nodiscard]] std::size_t index(std::size_t row) const noexcept { return static_cast<std::size_t>(indices_[row]); }

  void check_indices(std::size_t num_values) const {
    for (std::size_t row = 0; row < indices_.size(); ++row) {
      // A negative index becomes a large one.
      if (index(row) >= num_values && validity_[row]) {
        throw WrongIndex(std::to_string(indices_[row]), row, num_values);
      }
    }
  }

  // The fingerprint of a row, or its refusal.
  [[nodiscard]] std::int64_t checked(std::size_t row) const {
    if (!validity_[row]) {
      return kMissing;
    }
    if (known_.empty()) {
      return single(row);
    }
    if (known_[index(row)] < kMissing) {
      throw Refusal(reason_of(known_[index(row)]), row);
    }
    return known_[index(row)];
  }

  [[nodiscard]] std::int64_t single(std::size_t row) const {
    std::int64_t value = kMissing;
    try {
      values_->fingerprint(index(row), {&value, 1});
    } catch (const Refusal& refusal) {
      throw Refusal(refusal.reason(), row);
    }
    return value;
  }

  std::span<const Index> indices_;
  Validity validity_;
  std::vector<std::int64_t> known_;
  std::unique_ptr<PlainSource> values_;
  bool is_refused_anywhere_ = false;
};

template <typename Index>
std::unique_ptr<Source> make(const ArrowBuffers& indices, const ArrowBuffers& values, const SharedReading& how,
                             OpenValues open_values) {
  std::unique_ptr<PlainSource> opened;
  std::vector<std::int64_t> known;
  try {
    opened = open_values(values, how);
    if (values.size() / kSparse <= indices.size()) {
      known = known_values(*opened);
    }
  } catch (const Refusal&) {
    known = refused_bytes(values);
  }
  return std::make_unique<DictionarySource<Index>>(indices, values.size(), std::move(known), std::move(opened));
}

}  // namespace

WrongIndex::WrongIndex(std::string index, std::size_t row, std::size_t num_values)
    : std::invalid_argument(worded(index, "row", row, num_values)),
      index_(std::move(index)),
      row_(row),
      num_values_(num_values) {}

std::invalid_argument WrongIndex::in_lists() const {
  return std::invalid_argument(worded(index_, "list value", row_, num_values_));
}

std::unique_ptr<Source> open_dictionary(const ArrowBuffers& indices, const ArrowBuffers& values,
                                        const SharedReading& how, OpenValues open_values) {
  switch (indices.format().size() == 1 ? indices.format()[0] : '\0') {
    case 'c':
      return make<std::int8_t>(indices, values, how, open_values);
    case 'C':
      return make<std::uint8_t>(indices, values, how, open_values);
    case 's':
      return make<std::int16_t>(indices, values, how, open_values);
    case 'S':
      return make<std::uint16_t>(indices, values, how, open_values);
    case 'i':
      return make<std::int32_t>(indices, values, how, open_values);
    case 'I':
      return make<std::uint32_t>(indices, values, how, open_values);
    case 'l':
      return make<std::int64_t>(indices, values, how, open_values);
    case 'L':
      return make<std::uint64_t>(indices, values, how, open_values);
    default:
      refuse_array("dictionary indices must be integers, got format '" + std::string(indices.format()) + "'");
  }
}

}  // namespace polyrank
