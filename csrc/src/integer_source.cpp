#include "integer_source.hpp"

#include <cstring>

#include "integer_readers.hpp"

namespace polyrank {
namespace {

template <typename Reader>
class IntegerSource final : public ReadSource<IntegerSource<Reader>> {
 public:
  IntegerSource(Reader reader, SharedReading how) noexcept
      : ReadSource<IntegerSource<Reader>>(std::move(how)), reader_(std::move(reader)) {}

  [[nodiscard]] std::size_t size() const noexcept override { return reader_.size(); }

  template <typename Target>
  void hash(std::size_t begin, const Target& target) const {
    Block block;
    for_each_block(target, [&](std::size_t at, const Target& part) {
      reader_.read(begin + at, part.size(), block, this->how());
      put_integers(block, this->how(), part);
    });
  }

  void chain_at(std::span<const std::size_t> rows, const ChainTarget& target) const override {
    Block picked;
    Block single;
    const std::span values = picked.start(rows.size(), Validity{});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      values[i] = 0;
      if (rows[i] != kNoRow) {
        reader_.read(rows[i], 1, single, this->how());
        values[i] = single.values()[0];
      }
      if (rows[i] == kNoRow || !single.validity()[0]) {
        picked.set_missing(i);
      }
    }
    put_integers(picked, this->how(), target);
  }

 private:
  Reader reader_;
};

template <typename Reader>
std::unique_ptr<PlainSource> make(Reader reader, const SharedReading& how) {
  return std::make_unique<IntegerSource<Reader>>(std::move(reader), how);
}

template <typename T>
std::unique_ptr<PlainSource> make_numbers(const ArrowBuffers& buffers, const SharedReading& how) {
  const auto values = buffers.values<T>();
  if constexpr (std::is_integral_v<T>) {
    return make(WideningReader<T>{values, buffers.validity()}, how);
  } else {
    return make(FloatReader<T>{values, buffers.validity()}, how);
  }
}

std::unique_ptr<PlainSource> open_numbers(const ArrowBuffers& buffers, const SharedReading& how) {
  switch (buffers.format().size() == 1 ? buffers.format()[0] : '\0') {
    case 'c':
      return make_numbers<std::int8_t>(buffers, how);
    case 'C':
      return make_numbers<std::uint8_t>(buffers, how);
    case 's':
      return make_numbers<std::int16_t>(buffers, how);
    case 'S':
      return make_numbers<std::uint16_t>(buffers, how);
    case 'i':
      return make_numbers<std::int32_t>(buffers, how);
    case 'I':
      return make_numbers<std::uint32_t>(buffers, how);
    case 'l':
      return make_numbers<std::int64_t>(buffers, how);
    case 'L':
      return how->dtype == Dtype::kText ? open_unsigned_text(buffers, how) : make_numbers<std::uint64_t>(buffers, how);
    case 'e':
      return make_numbers<Half>(buffers, how);
    case 'f':
      return make_numbers<float>(buffers, how);
    case 'g':
      return make_numbers<double>(buffers, how);
    default:
      return nullptr;
  }
}

// Refused at the first value; that there is one is all that was known of them.
[[noreturn]] void refuse_bytes(const ArrowBuffers& buffers) {
  buffers.expect(buffers.format().starts_with("w:") ? 2 : 3);
  const Validity validity = buffers.validity();
  for (std::size_t row = 0; row < buffers.size(); ++row) {
    if (validity[row]) {
      throw Refusal(Reason::kBytes, row);
    }
  }
  refuse_array("null_count counts fewer nulls than the validity buffer has");
}

}  // namespace

std::unique_ptr<PlainSource> open_integers(const ArrowBuffers& buffers, const SharedReading& how) {
  const std::string_view format = buffers.format();
  if (auto numbers = open_numbers(buffers, how); numbers != nullptr || how->dtype == Dtype::kText) {
    return numbers;
  }
  if (format == "b") {
    const Validity bits = buffers.bits();
    return make(BooleanReader{buffers.size(), bits, buffers.validity()}, how);
  }
  if (format == "u") {
    return make(DecimalTextReader<StringColumn<std::int32_t>>{buffers.strings<std::int32_t>(), {}}, how);
  }
  if (format == "U") {
    return make(DecimalTextReader<StringColumn<std::int64_t>>{buffers.strings<std::int64_t>(), {}}, how);
  }
  if (format == "vu") {
    auto data = std::make_unique<std::vector<const std::uint8_t*>>();
    const ViewColumn column = buffers.views(*data);
    return make(DecimalTextReader<ViewColumn>{column, std::move(data)}, how);
  }
  if (format == "z" || format == "Z" || format == "vz" || format.starts_with("w:")) {
    refuse_bytes(buffers);
  }
  return nullptr;
}

}  // namespace polyrank
