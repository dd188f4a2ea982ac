#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// Kernels of fingerprint format version 1 (docs/fingerprint.md). A column is a borrowed view of n keys, some missing.
namespace polyrank {

inline constexpr std::int64_t kMissing = -1;

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

/// The decimal digits of an integer, with `-` before those of a negative one.
struct DecimalKey {
  std::array<char, 20> digits;
  std::size_t length;

  explicit DecimalKey(std::int64_t value) noexcept
      : length(static_cast<std::size_t>(std::to_chars(digits.begin(), digits.end(), value).ptr - digits.begin())) {}
  operator std::span<const std::uint8_t>() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(digits.data()), length};
  }
};

/// Integers, hashed as their decimal digits.
struct DecimalColumn {
  std::span<const std::int64_t> values;
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return values.size(); }
  [[nodiscard]] bool is_present(std::size_t index) const noexcept { return validity[index]; }
  [[nodiscard]] DecimalKey key(std::size_t index) const noexcept { return DecimalKey(values[index]); }
};

/// Writes the fingerprint of each key, kMissing for a missing one. `out` has column.size() elements; it may be the very
/// memory of an Int64Column's values.
void fingerprint(const StringColumn<std::int32_t>& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept;
void fingerprint(const StringColumn<std::int64_t>& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept;
void fingerprint(const ViewColumn& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept;
void fingerprint(const ScatteredColumn& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept;
void fingerprint(const Int64Column& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept;
void fingerprint(const DecimalColumn& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept;

/// One part of a cross: replaces each state by the full 64-bit hash of the key with that state as its seed. States
/// start as the format's seed; those of missing keys stay as they are, and the caller notes that their cross is
/// missing.
void chain(const StringColumn<std::int32_t>& column, std::span<std::uint64_t> states) noexcept;
void chain(const StringColumn<std::int64_t>& column, std::span<std::uint64_t> states) noexcept;
void chain(const ViewColumn& column, std::span<std::uint64_t> states) noexcept;
void chain(const ScatteredColumn& column, std::span<std::uint64_t> states) noexcept;
void chain(const Int64Column& column, std::span<std::uint64_t> states) noexcept;
void chain(const DecimalColumn& column, std::span<std::uint64_t> states) noexcept;

/// The fingerprint that a full 64-bit hash stands for.
[[nodiscard]] constexpr std::int64_t to_fingerprint(std::uint64_t hash) noexcept {
  return static_cast<std::int64_t>(hash & 0x7FFF'FFFF'FFFF'FFFF);
}

}  // namespace polyrank
