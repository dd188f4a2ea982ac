#include <array>
#include <charconv>
#include <string_view>

#include "integer_source.hpp"

namespace polyrank {
namespace {

constexpr std::size_t kMaxDigits = 20;

// The digits of a block of integers, one after another.
class DigitBlock {
 public:
  [[nodiscard]] std::string_view append(std::uint64_t value) noexcept {
    char* begin = end_;
    end_ = std::to_chars(begin, begin + kMaxDigits, value).ptr;
    return {begin, static_cast<std::size_t>(end_ - begin)};
  }

 private:
  std::array<char, kBlockRows * kMaxDigits> room_;
  char* end_ = room_.data();
};

class UnsignedTextSource final : public ReadSource<UnsignedTextSource> {
 public:
  UnsignedTextSource(std::span<const std::uint64_t> values, Validity validity, SharedReading how) noexcept
      : ReadSource(std::move(how)), values_(values), validity_(validity) {}

  [[nodiscard]] std::size_t size() const noexcept override { return values_.size(); }

  template <typename Target>
  void hash(std::size_t begin, const Target& target) const {
    for_each_block(target, [&](std::size_t at, const Target& part) {
      if (!hash_signed(begin + at, part)) {
        hash_digits(part, [&](std::size_t i) { return begin + at + i; });
      }
    });
  }

  void chain_at(std::span<const std::size_t> rows, const ChainTarget& target) const override {
    hash_digits(target, [&](std::size_t i) { return rows[i]; });
  }

 private:
  // Hashes a block as int64 where all of it fits.
  template <typename Target>
  bool hash_signed(std::size_t begin, const Target& target) const {
    Block block;
    const auto wide = block.start(target.size(), from_row(validity_, begin));
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < wide.size(); ++i) {
      wide[i] = static_cast<std::int64_t>(values_[begin + i]);
      seen |= wide[i];
    }
    if (seen >= 0) {
      put_integers(block, how(), target);
    }
    return seen >= 0;
  }

  template <typename Target, typename RowAt>
  void hash_digits(const Target& target, const RowAt& row_at) const {
    std::array<std::string_view, kBlockRows> keys;
    DigitBlock digits;
    for (std::size_t i = 0; i < target.size(); ++i) {
      const std::size_t row = row_at(i);
      keys[i] = row == kNoRow || !validity_[row] ? std::string_view{} : digits.append(values_[row]);
    }
    put_keys(ScatteredColumn{std::span(keys).first(target.size())}, how().tokens, target);
  }

  std::span<const std::uint64_t> values_;
  Validity validity_;
};

}  // namespace

std::unique_ptr<PlainSource> open_unsigned_text(const ArrowBuffers& buffers, const SharedReading& how) {
  const auto values = buffers.values<std::uint64_t>();
  return std::make_unique<UnsignedTextSource>(values, buffers.validity(), how);
}

}  // namespace polyrank
