#include "numpy_rows.hpp"

#include <bit>
#include <cstdint>
#include <vector>

#include "arrow_rows.hpp"
#include "fixed_text_rows.hpp"
#include "item_rows.hpp"
#include "string_dtype_rows.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

const char* arrow_format(char kind, py::ssize_t itemsize) {
  switch (kind) {
    case 'i':
      return itemsize == 1 ? "c" : itemsize == 2 ? "s" : itemsize == 4 ? "i" : "l";
    case 'u':
      return itemsize == 1 ? "C" : itemsize == 2 ? "S" : itemsize == 4 ? "I" : "L";
    case 'f':
      return itemsize == 2 ? "e" : itemsize == 4 ? "f" : itemsize == 8 ? "g" : nullptr;
    case 'b':
      return "b";
    default:
      return nullptr;
  }
}

bool is_plain(const py::array& values, const py::dtype& dtype) {
  const char foreign = std::endian::native == std::endian::little ? '>' : '<';
  const auto address = reinterpret_cast<std::uintptr_t>(values.data());
  return dtype.byteorder() != foreign && (values.flags() & py::array::c_style) != 0 &&
         address % static_cast<std::uintptr_t>(dtype.alignment()) == 0;
}

// The array itself where it is contiguous, aligned and of this machine's byte order, else a copy that is.
py::array plain(const py::array& values, const py::dtype& dtype) {
  if (is_plain(values, dtype)) {
    return values;
  }
  if (dtype.kind() == 'T') {
    return values.attr("copy")(py::arg("order") = "C");
  }
  return values.attr("astype")(dtype.attr("newbyteorder")("="), py::arg("order") = "C");
}

std::vector<std::uint8_t> packed_bits(const py::array& booleans) {
  const auto* from = static_cast<const std::uint8_t*>(booleans.data());
  const auto size = static_cast<std::size_t>(booleans.size());
  std::vector<std::uint8_t> bits((size + 7) / 8);
  for (std::size_t i = 0; i < size; ++i) {
    bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | ((from[i] != 0 ? 1U : 0U) << (i % 8)));
  }
  return bits;
}

// numpy's memory as an Arrow array.
class NumpyRows final : public Rows {
 public:
  NumpyRows(py::array values, const char* format) : values_(std::move(values)) {
    buffers_[1] = values_.data();
    if (*format == 'b') {
      bits_ = packed_bits(values_);
      buffers_[1] = bits_.data();
    }
    schema_.format = format;
    array_.length = values_.size();
    array_.n_buffers = 2;
    array_.buffers = buffers_;
  }

  [[nodiscard]] std::size_t size() const override { return static_cast<std::size_t>(values_.size()); }

  [[nodiscard]] bool may_write(std::span<const std::int64_t> out) const override {
    const bool is_same = static_cast<const void*>(out.data()) == values_.data();
    return is_apart(values_, out) || (is_same && values_.itemsize() == sizeof(std::int64_t));
  }

  void fingerprint(const PythonReading& how, std::span<std::int64_t> out) override {
    const py::gil_scoped_release unlocked;
    open_source(schema_, array_, how.reading)->fingerprint(0, out);
  }
  void chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) override {
    const py::gil_scoped_release unlocked;
    open_source(schema_, array_, how.reading)->chain(0, states, is_missing);
  }

 private:
  py::array values_;
  std::vector<std::uint8_t> bits_;
  const void* buffers_[2] = {nullptr, nullptr};
  ArrowSchema schema_{};
  ArrowArray array_{};
};

}  // namespace

bool is_apart(const py::array& values, std::span<const std::int64_t> out) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(values.data());
  const auto written = reinterpret_cast<std::uintptr_t>(out.data());
  return written + out.size_bytes() <= begin || begin + static_cast<std::uintptr_t>(values.nbytes()) <= written;
}

std::shared_ptr<Rows> numpy_rows(const py::array& values) {
  if (values.ndim() != 1) {
    throw py::value_error("values must be one-dimensional");
  }
  const py::dtype dtype = values.dtype();
  switch (dtype.kind()) {
    case 'O':
      return std::make_shared<ItemRows>(plain(values, dtype));
    case 'S':
      return std::make_shared<FixedBytesRows>(plain(values, dtype));
    case 'U':
      return std::make_shared<FixedTextRows>(plain(values, dtype));
    case 'T':
      return std::make_shared<StringDTypeRows>(plain(values, dtype));
    default:
      break;
  }
  const char* format = arrow_format(dtype.kind(), dtype.itemsize());
  if (format == nullptr) {
    throw UnknownLayout();
  }
  return std::make_shared<NumpyRows>(plain(values, dtype), format);
}

}  // namespace polyrank
