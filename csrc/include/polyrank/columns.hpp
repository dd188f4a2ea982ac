#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// Columns of keys as they lie in memory: borrowed views of n keys, some missing.
namespace polyrank {

/// Which keys of a column are present: an Arrow validity bitmap (least significant bit first), or none for all of them.
struct Validity {
  const std::uint8_t* bitmap = nullptr;
  std::size_t bit_offset = 0;

  [[nodiscard]] bool operator[](std::size_t index) const noexcept {
    const std::size_t bit = bit_offset + index;
    return bitmap == nullptr || ((bitmap[bit / 8] >> (bit % 8)) & 1U) != 0;
  }
};

/// Arrow's string and binary (`Offset` = std::int32_t) and their large forms (std::int64_t).
template <typename Offset>
struct StringColumn {
  std::span<const Offset> offsets;     ///< [n + 1], never negative, never decreasing; empty where n = 0
  const std::uint8_t* data = nullptr;  ///< at least offsets.back() bytes
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
  [[nodiscard]] bool is_present(std::size_t index) const noexcept { return validity[index]; }
  [[nodiscard]] std::span<const std::uint8_t> key(std::size_t index) const noexcept {
    const auto begin = static_cast<std::size_t>(offsets[index]);
    const auto length = static_cast<std::size_t>(offsets[index + 1]) - begin;
    return length == 0 ? std::span<const std::uint8_t>{} : std::span{data + begin, length};
  }
};

/// One key of Arrow's string_view and binary_view: up to 12 bytes lie inside, longer ones in a data buffer.
struct View {
  static constexpr std::int32_t kInlineBytes = 12;

  std::int32_t length;
  std::array<std::uint8_t, 4> prefix;  ///< an inlined key begins here and runs on to the end of the struct
  std::int32_t buffer;
  std::int32_t offset;
};
static_assert(sizeof(View) == 16);

/// Arrow's string_view and binary_view.
struct ViewColumn {
  std::span<const View> views;                   ///< [n]; those of present keys lie inside their buffer
  std::span<const std::uint8_t* const> buffers;  ///< what View::buffer counts
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return views.size(); }
  [[nodiscard]] bool is_present(std::size_t index) const noexcept { return validity[index]; }
  [[nodiscard]] std::span<const std::uint8_t> key(std::size_t index) const noexcept {
    const View& view = views[index];
    const auto length = static_cast<std::size_t>(view.length);
    if (view.length <= View::kInlineBytes) {
      return {reinterpret_cast<const std::uint8_t*>(&view) + offsetof(View, prefix), length};
    }
    return {buffers[static_cast<std::size_t>(view.buffer)] + view.offset, length};
  }
};

/// Keys that lie anywhere in memory; one without data is missing (an empty key has data).
struct ScatteredColumn {
  std::span<const std::string_view> keys;
  bool may_miss = true;  ///< false where the caller knows that no key is missing

  [[nodiscard]] std::size_t size() const noexcept { return keys.size(); }
  [[nodiscard]] bool is_present(std::size_t index) const noexcept { return keys[index].data() != nullptr; }
  [[nodiscard]] std::span<const std::uint8_t> key(std::size_t index) const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(keys[index].data()), keys[index].size()};
  }
};

/// Integers, hashed as 8 bytes in little-endian two's complement.
struct Int64Column {
  std::span<const std::int64_t> values;
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return values.size(); }
  [[nodiscard]] bool is_present(std::size_t index) const noexcept { return validity[index]; }
  [[nodiscard]] std::array<std::uint8_t, 8> key(std::size_t index) const noexcept {
    const auto value = static_cast<std::uint64_t>(values[index]);
    std::array<std::uint8_t, 8> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    return bytes;
  }
};

/// The ASCII of an integer: its decimal digits, after '-' where it is negative.
class Decimal {
 public:
  explicit Decimal(std::int64_t value) noexcept
      : size_(static_cast<std::size_t>(std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr -
                                       text_.data())) {}

  operator std::span<const std::uint8_t>() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text_.data()), size_};
  }

 private:
  std::array<char, 20> text_;
  std::size_t size_;
};

/// Integers, hashed as the ASCII of their decimal digits, after '-' where negative.
struct DecimalColumn {
  std::span<const std::int64_t> values;
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return values.size(); }
  [[nodiscard]] bool is_present(std::size_t index) const noexcept { return validity[index]; }
  [[nodiscard]] Decimal key(std::size_t index) const noexcept { return Decimal(values[index]); }
};

}  // namespace polyrank
