#include "polyrank/row_block.hpp"

#include <charconv>

#include "canonical_integer.hpp"
#include "target.hpp"

namespace polyrank {

void RowBlock::clear() noexcept {
  size_ = 0;
  num_missing_ = 0;
  num_integers_ = 0;
  num_bytes_ = 0;
}

void RowBlock::add_bytes(std::string_view bytes, std::size_t row) {
  if (how_.dtype == Dtype::kInt64) {
    throw Refusal(Reason::kBytes, row);
  }
  add_text(bytes, row);
}

void RowBlock::add_boolean(bool value) {
  if (how_.dtype == Dtype::kInt64) {
    add_integer(value ? 1 : 0);
  } else {
    add_text(value ? "true" : "false", 0);
  }
}

void RowBlock::add_float(double value, std::size_t row) {
  if (const auto integer = integer_of(value, row)) {
    add_integer(*integer);
  } else {
    add_missing();
  }
}

void RowBlock::add_digits(std::string_view text, std::size_t row) {
  if (const auto integer = integer_of(text, how_.tokens, row)) {
    add_integer(*integer);
  } else {
    add_missing();
  }
}

void RowBlock::fingerprint(std::span<std::int64_t> out) { put(FingerprintTarget(how_.seed, out)); }

void RowBlock::chain(std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) {
  put(ChainTarget(states, is_missing));
}

template <typename Target>
void RowBlock::put(const Target& target) {
  if (num_integers_ > 0 && num_integers_ + num_missing_ == size_) {
    block_.borrow(std::span(values_).first(size_), Validity{});
    for (std::size_t i = 0; num_missing_ > 0 && i < size_; ++i) {
      if (keys_[i].data() == nullptr) {
        block_.set_missing(i);
      }
    }
    put_integers(block_, how_, target);
    return;
  }
  if (num_integers_ > 0) {
    write_integers();
  }
  put_keys(ScatteredColumn{.keys = std::span(keys_).first(size_), .may_miss = num_missing_ > 0}, how_.tokens, target);
}

// Among text, integers are text too.
void RowBlock::write_integers() noexcept {
  char* end = digits_.data();
  for (std::size_t i = 0; i < size_; ++i) {
    if (keys_[i].data() == &kInteger) {
      char* begin = end;
      end = std::to_chars(begin, begin + kMaxDigits, values_[i]).ptr;
      keys_[i] = {begin, static_cast<std::size_t>(end - begin)};
    }
  }
}

}  // namespace polyrank
