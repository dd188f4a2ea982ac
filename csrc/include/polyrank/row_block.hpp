#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "polyrank/block.hpp"
#include "polyrank/missing_tokens.hpp"

namespace polyrank {

/// Up to kBlockRows values gathered one by one, each of its own type, and hashed together under a reading. Text and
/// bytes are borrowed until then. About 60 KB: keep it on the stack or in one place.
class RowBlock {
 public:
  explicit RowBlock(const PreparedReading& how) noexcept : how_(how) { clear(); }
  RowBlock(const RowBlock&) = delete;
  RowBlock& operator=(const RowBlock&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// How many bytes of text the rows gathered lead to.
  [[nodiscard]] std::size_t num_bytes() const noexcept { return num_bytes_; }

  void clear() noexcept;

  void add_missing() noexcept {
    ++num_missing_;
    keys_[size_] = {};
    values_[size_++] = 0;
  }

  /// The next ones throw Refusal, at `row`, for a value without a canonical form. Text is UTF-8.
  void add_text(std::string_view text, std::size_t row) {
    if (how_.dtype == Dtype::kText) {
      num_bytes_ += text.size();
      keys_[size_++] = text.data() == nullptr ? std::string_view("") : text;
    } else {
      add_digits(text, row);
    }
  }
  /// Where the next text keys may be written under dtype `text`, as add_text would; add_texts then says how many were.
  [[nodiscard]] std::span<std::string_view> room() noexcept { return std::span(keys_).subspan(size_); }
  void add_texts(std::size_t count, std::size_t num_bytes) noexcept {
    size_ += count;
    num_bytes_ += num_bytes;
  }
  [[nodiscard]] bool takes_text() const noexcept { return how_.dtype == Dtype::kText; }
  void add_bytes(std::string_view bytes, std::size_t row);
  void add_integer(std::int64_t value) noexcept {
    ++num_integers_;
    keys_[size_] = {&kInteger, 1};
    values_[size_++] = value;
  }
  void add_boolean(bool value);
  void add_float(double value, std::size_t row);

  /// Hash the rows gathered; `out`, or the states, have size() elements. See Source.
  void fingerprint(std::span<std::int64_t> out);
  void chain(std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing);

 private:
  // Its address marks the key of a row that is an integer. (A literal may have one in each translation unit.)
  static constexpr char kInteger = 0;
  static constexpr std::size_t kMaxDigits = 20;

  void add_digits(std::string_view text, std::size_t row);
  template <typename Target>
  void put(const Target& target);
  void write_integers() noexcept;

  const PreparedReading& how_;
  std::size_t size_ = 0;
  std::size_t num_missing_ = 0;
  std::size_t num_integers_ = 0;
  std::size_t num_bytes_ = 0;
  std::array<std::string_view, kBlockRows> keys_;
  std::array<std::int64_t, kBlockRows> values_;
  std::array<char, kBlockRows * kMaxDigits> digits_;
  Block block_;
};

}  // namespace polyrank
