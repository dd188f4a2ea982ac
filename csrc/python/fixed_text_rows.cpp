#include "fixed_text_rows.hpp"

#include <algorithm>

#include "polyrank/utf8.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

constexpr std::size_t kScratchBytes = 32 * 1024;  // stays in the L1 cache

template <typename Unit>
std::span<const Unit> without_padding(const Unit* from, std::size_t width) noexcept {
  while (width > 0 && from[width - 1] == 0) {
    --width;
  }
  return {from, width};
}

}  // namespace

FixedTextRows::FixedTextRows(py::array values)
    : values_(std::move(values)),
      is_text_(values_.dtype().kind() == 'U'),
      size_(static_cast<std::size_t>(values_.size())),
      width_(static_cast<std::size_t>(values_.itemsize()) / (is_text_ ? sizeof(std::uint32_t) : 1)) {}

std::string_view FixedTextRows::bytes_of(std::size_t row) const noexcept {
  const auto bytes = without_padding(static_cast<const char*>(values_.data()) + row * width_, width_);
  return {bytes.data(), bytes.size()};
}

// Writes into `scratch` and returns the end of it.
char* FixedTextRows::add_text(std::size_t row, char* scratch, const PythonReading& how, RowBlock& block) {
  const auto text = without_padding(static_cast<const std::uint32_t*>(values_.data()) + row * width_, width_);
  char* end = write_utf8(text, scratch);
  if (end != nullptr) {
    block.add_text({scratch, static_cast<std::size_t>(end - scratch)}, row);
    return end;
  }
  const py::gil_scoped_acquire locked;
  how.odd_value(values_[py::int_(row)], row);  // raises unless the text is a missing token
  block.add_missing();
  return scratch;
}

void FixedTextRows::gather(std::size_t begin, std::size_t count, const PythonReading& how, RowBlock& block) {
  block.clear();
  char* scratch = scratch_.data();
  for (std::size_t row = begin; row < begin + count; ++row) {
    if (is_text_) {
      scratch = add_text(row, scratch, how, block);
    } else {
      block.add_bytes(bytes_of(row), row);
    }
  }
}

template <typename Hash>
void FixedTextRows::for_each_block(const PythonReading& how, const Hash& hash) {
  const py::gil_scoped_release unlocked;
  const std::size_t row_bytes = std::max<std::size_t>(width_ * kMaxUtf8Bytes, 1);
  const std::size_t rows = is_text_ ? std::clamp<std::size_t>(kScratchBytes / row_bytes, 1, kBlockRows) : kBlockRows;
  scratch_.resize(is_text_ ? rows * row_bytes : 0);
  const PreparedReading prepared(how.reading);
  RowBlock block(prepared);
  for (std::size_t at = 0; at < size_; at += rows) {
    const std::size_t count = std::min(rows, size_ - at);
    gather(at, count, how, block);
    hash(block, at, count);
  }
}

void FixedTextRows::fingerprint(const PythonReading& how, std::span<std::int64_t> out) {
  for_each_block(
      how, [&](RowBlock& block, std::size_t at, std::size_t count) { block.fingerprint(out.subspan(at, count)); });
}

void FixedTextRows::chain(const PythonReading& how, std::span<std::uint64_t> states,
                          std::span<std::uint8_t> is_missing) {
  for_each_block(how, [&](RowBlock& block, std::size_t at, std::size_t count) {
    block.chain(states.subspan(at, count), is_missing.subspan(at, count));
  });
}

}  // namespace polyrank
