#include "fixed_text_rows.hpp"

#include <algorithm>

#include "polyrank/utf8.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

constexpr std::size_t kScratchBytes = 32 * 1024;  // stays in the L1 cache

template <typename Unit>
std::span<const Unit> without_padding(const void* from, std::size_t row, std::size_t width) noexcept {
  const Unit* begin = static_cast<const Unit*>(from) + row * width;
  while (width > 0 && begin[width - 1] == 0) {
    --width;
  }
  return {begin, width};
}

std::size_t rows_that_fit(std::size_t width) noexcept {
  return std::clamp<std::size_t>(kScratchBytes / std::max<std::size_t>(width * kMaxUtf8Bytes, 1), 1, kBlockRows);
}

}  // namespace

FixedBytesRows::FixedBytesRows(py::array values)
    : BlockRows(static_cast<std::size_t>(values.size())),
      values_(std::move(values)),
      width_(static_cast<std::size_t>(values_.itemsize())) {}

std::shared_ptr<void> FixedBytesRows::gather(std::size_t begin, std::size_t count, const PythonReading& /*how*/,
                                             RowBlock& block) {
  for (std::size_t row = begin; row < begin + count; ++row) {
    const auto bytes = without_padding<char>(values_.data(), row, width_);
    block.add_bytes({bytes.data(), bytes.size()}, row);
  }
  return nullptr;
}

FixedTextRows::FixedTextRows(py::array values)
    : FixedTextRows(values, static_cast<std::size_t>(values.itemsize()) / sizeof(std::uint32_t)) {}

FixedTextRows::FixedTextRows(py::array values, std::size_t width)
    : BlockRows(static_cast<std::size_t>(values.size()), rows_that_fit(width)),
      values_(std::move(values)),
      width_(width),
      scratch_(rows_that_fit(width) * width * kMaxUtf8Bytes) {}

std::shared_ptr<void> FixedTextRows::gather(std::size_t begin, std::size_t count, const PythonReading& how,
                                            RowBlock& block) {
  char* scratch = scratch_.data();
  for (std::size_t row = begin; row < begin + count; ++row) {
    char* end = write_utf8(without_padding<std::uint32_t>(values_.data(), row, width_), scratch);
    if (end == nullptr) {
      add_odd(row, how, block);
    } else {
      block.add_text({scratch, static_cast<std::size_t>(end - scratch)}, row);
      scratch = end;
    }
  }
  return nullptr;
}

// Text without a UTF-8 form: Python raises, unless it is a missing token.
void FixedTextRows::add_odd(std::size_t row, const PythonReading& how, RowBlock& block) {
  const py::gil_scoped_acquire locked;
  how.odd_value(values_.attr("item")(row), row);
  block.add_missing();
}

}  // namespace polyrank
