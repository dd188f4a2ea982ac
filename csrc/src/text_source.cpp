#include "text_source.hpp"

#include <array>
#include <charconv>
#include <string_view>
#include <vector>

namespace polyrank {
namespace {

using Scratch = std::array<std::string_view, kBlockRows>;

std::string_view as_text(std::span<const std::uint8_t> key) noexcept {
  // An empty key may lie nowhere, but a view without data is a missing one.
  return key.empty() ? std::string_view("") : std::string_view(reinterpret_cast<const char*>(key.data()), key.size());
}

template <typename Offset>
StringColumn<Offset> slice(const StringColumn<Offset>& column, std::size_t begin, std::size_t count) noexcept {
  return {.offsets = column.offsets.subspan(begin, count + 1),
          .data = column.data,
          .validity = from_row(column.validity, begin)};
}

ViewColumn slice(const ViewColumn& column, std::size_t begin, std::size_t count) noexcept {
  return {.views = column.views.subspan(begin, count),
          .buffers = column.buffers,
          .validity = from_row(column.validity, begin)};
}

// Keys that a kernel reads where they lie. Every piece is checked before it is read: it stays in the cache in between.
template <typename Offset>
struct StringKeys {
  static constexpr std::size_t kMaxRows = 2048;
  StringColumn<Offset> column;

  [[nodiscard]] std::size_t size() const noexcept { return column.size(); }
  [[nodiscard]] StringColumn<Offset> piece(std::size_t begin, std::size_t count, Scratch& /*scratch*/) const {
    const StringColumn<Offset> rows = slice(column, begin, count);
    check_strings(rows);
    return rows;
  }
  [[nodiscard]] std::string_view key(std::size_t row) const {
    const StringColumn<Offset> one = slice(column, row, 1);
    check_strings(one);
    return one.is_present(0) ? as_text(one.key(0)) : std::string_view{};
  }
};

struct ViewKeys {
  static constexpr std::size_t kMaxRows = 160;  // as few as the kernel takes: the next ones arrive while it hashes
  std::unique_ptr<std::vector<const std::uint8_t*>> buffers;  // what the column borrows
  UncheckedViews views;

  [[nodiscard]] std::size_t size() const noexcept { return views.column.size(); }
  [[nodiscard]] ViewColumn piece(std::size_t begin, std::size_t count, Scratch& /*scratch*/) const {
    const ViewColumn rows = slice(views.column, begin, count);
    check_views(rows, views.sizes);
    return rows;
  }
  [[nodiscard]] std::string_view key(std::size_t row) const {
    const ViewColumn one = slice(views.column, row, 1);
    check_views(one, views.sizes);
    return one.is_present(0) ? as_text(one.key(0)) : std::string_view{};
  }
};

// Bytes of one width: the offsets of one block serve every block.
struct FixedKeys {
  static constexpr std::size_t kMaxRows = kBlockRows;
  std::size_t rows;
  std::size_t width;
  const std::uint8_t* data;
  Validity validity;
  std::vector<std::int64_t> offsets;

  FixedKeys(const ArrowBuffers& buffers, std::size_t bytes)
      : rows(buffers.size()), width(bytes), data(buffers.fixed_bytes(bytes)), validity(buffers.validity()) {
    for (std::size_t i = 0; i <= std::min(rows, kMaxRows); ++i) {
      offsets.push_back(static_cast<std::int64_t>(i * width));
    }
  }
  [[nodiscard]] std::size_t size() const noexcept { return rows; }
  [[nodiscard]] const std::uint8_t* at(std::size_t row) const noexcept {
    return width == 0 ? data : data + row * width;
  }
  [[nodiscard]] StringColumn<std::int64_t> piece(std::size_t begin, std::size_t count,
                                                 Scratch& /*scratch*/) const noexcept {
    return {.offsets = std::span(offsets).first(count + 1), .data = at(begin), .validity = from_row(validity, begin)};
  }
  [[nodiscard]] std::string_view key(std::size_t row) const noexcept {
    return validity[row] ? as_text({at(row), width}) : std::string_view{};
  }
};

struct BooleanKeys {
  static constexpr std::size_t kMaxRows = kBlockRows;
  std::size_t rows;
  Validity bits;
  Validity validity;

  [[nodiscard]] std::size_t size() const noexcept { return rows; }
  [[nodiscard]] ScatteredColumn piece(std::size_t begin, std::size_t count, Scratch& scratch) const noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      scratch[i] = key(begin + i);
    }
    return {.keys = std::span(scratch).first(count)};
  }
  [[nodiscard]] std::string_view key(std::size_t row) const noexcept {
    using namespace std::string_view_literals;
    if (!validity[row]) {
      return {};
    }
    return bits[row] ? "true"sv : "false"sv;
  }
};

template <typename Keys>
class KeySource final : public ReadSource<KeySource<Keys>> {
 public:
  KeySource(Keys keys, SharedReading how) noexcept
      : ReadSource<KeySource<Keys>>(std::move(how)), keys_(std::move(keys)) {}

  [[nodiscard]] std::size_t size() const noexcept override { return keys_.size(); }

  template <typename Target>
  void hash(std::size_t begin, const Target& target) const {
    Scratch scratch;
    for (std::size_t at = 0; at < target.size();) {
      const std::size_t count = std::min(Keys::kMaxRows, target.size() - at);
      put_keys(keys_.piece(begin + at, count, scratch), this->how().tokens, target.part(at, count));
      at += count;
    }
  }

  void chain_at(std::span<const std::size_t> rows, const ChainTarget& target) const override {
    Scratch scratch;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      scratch[i] = rows[i] == kNoRow ? std::string_view{} : keys_.key(rows[i]);
    }
    put_keys(ScatteredColumn{std::span(scratch).first(rows.size())}, this->how().tokens, target);
  }

 private:
  Keys keys_;
};

template <typename Keys>
std::unique_ptr<PlainSource> make(Keys keys, const SharedReading& how) {
  return std::make_unique<KeySource<Keys>>(std::move(keys), how);
}

}  // namespace

std::unique_ptr<PlainSource> open_text(const ArrowBuffers& buffers, const SharedReading& how) {
  const std::string_view format = buffers.format();
  if (format == "u" || format == "z") {
    return make(StringKeys<std::int32_t>{buffers.unchecked_strings<std::int32_t>()}, how);
  }
  if (format == "U" || format == "Z") {
    return make(StringKeys<std::int64_t>{buffers.unchecked_strings<std::int64_t>()}, how);
  }
  if (format == "vu" || format == "vz") {
    auto data = std::make_unique<std::vector<const std::uint8_t*>>();
    const UncheckedViews views = buffers.unchecked_views(*data);
    return make(ViewKeys{std::move(data), views}, how);
  }
  if (format.starts_with("w:")) {
    return make(FixedKeys(buffers, fixed_width(format)), how);
  }
  if (format == "b") {
    const Validity bits = buffers.bits();
    return make(BooleanKeys{buffers.size(), bits, buffers.validity()}, how);
  }
  return nullptr;
}

std::size_t fixed_width(std::string_view format) {
  std::int32_t width = -1;
  const char* end = format.data() + format.size();
  const auto [stop, error] = std::from_chars(format.data() + 2, end, width);
  if (error != std::errc{} || stop != end || width < 0) {
    refuse_array("format '" + std::string(format) + "' names no width");
  }
  return static_cast<std::size_t>(width);
}

}  // namespace polyrank
