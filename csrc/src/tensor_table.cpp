#include "polyrank/tensor_table.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <utility>

#include "arrow_export.hpp"
#include "code_point.hpp"
#include "row_number.hpp"
#include "tensor_elements.hpp"

namespace polyrank {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080;

bool is_utf8(std::string_view text) noexcept {
  std::span rest(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  while (!rest.empty()) {
    std::uint64_t word = kHighBits;
    if (rest.size() >= sizeof(word)) {
      std::memcpy(&word, rest.data(), sizeof(word));
    }
    const std::size_t num_bytes = (word & kHighBits) == 0 ? sizeof(word) : front_code_point(rest).num_bytes;
    if (num_bytes == 0) {
      return false;
    }
    rest = rest.subspan(num_bytes);
  }
  return true;
}

// Little-endian on any host.
std::uint32_t front_length(std::span<const std::byte> bytes) noexcept {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < sizeof(length); ++i) {
    length |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  }
  return length;
}

using Lengths = std::vector<std::size_t>;

[[noreturn]] void refuse(const TensorColumn& column, const std::string& why) {
  throw std::invalid_argument("column '" + column.name + "': " + why);
}

// How many elements a shape has, which no wrapping around may bring down to what its content has.
std::size_t count_of(const TensorColumn& column, std::size_t num_rows) {
  constexpr std::size_t kMaxElements = std::numeric_limits<std::size_t>::max() / sizeof(std::int64_t);
  if (column.width > 0 && num_rows > kMaxElements / column.width) {
    refuse(column, "must have fewer than 2**61 elements, got shape [" + std::to_string(num_rows) + ", " +
                       std::to_string(column.width) + "]");
  }
  return num_rows * column.width;
}

// How many elements of each row count: up to the last that is not padding, and as many as `least` says.
template <typename IsPadding>
Lengths lengths_of(std::size_t num_rows, std::size_t width, const Lengths* least, const IsPadding& is_padding) {
  Lengths lengths(num_rows);
  for (std::size_t row = 0; row < num_rows; ++row) {
    const std::size_t floor = least == nullptr ? 0 : std::min((*least)[row], width);
    std::size_t length = width;
    while (length > floor && is_padding(row * width + length - 1)) {
      --length;
    }
    lengths[row] = length;
  }
  return lengths;
}

template <typename Elements>
ExportedArray lists_of(const Elements& elements, const Lengths& lengths, std::size_t width) {
  std::vector<std::int64_t> offsets{0};
  std::vector<std::size_t> kept;
  Presence presence(lengths.size());
  for (std::size_t row = 0; row < lengths.size(); ++row) {
    for (std::size_t i = 0; i < lengths[row]; ++i) {
      kept.push_back(row * width + i);
    }
    if (lengths[row] == 0) {
      presence.set_missing(row);
    }
    offsets.push_back(static_cast<std::int64_t>(kept.size()));
  }
  ExportedArray array(lengths.size());
  std::move(presence).move_to(array);
  array.add_buffer(std::move(offsets));
  array.add_child(elements.take(kept));
  return array;
}

std::vector<std::size_t> first(std::size_t count) {
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

template <typename Elements>
ExportedArray vectors_of(const Elements& elements, std::size_t num_rows, std::size_t width) {
  Presence presence(num_rows);
  for (std::size_t row = 0; row < num_rows; ++row) {
    std::size_t index = row * width;
    while (index < (row + 1) * width && elements.is_missing(index)) {
      ++index;
    }
    if (index == (row + 1) * width) {
      presence.set_missing(row);
    }
  }
  ExportedArray array(num_rows);
  std::move(presence).move_to(array);
  array.add_child(elements.take(first(num_rows * width)));
  return array;
}

class Batch {
 public:
  Batch(std::span<const TensorColumn> columns, std::size_t num_rows)
      : columns_(columns), num_rows_(num_rows), lengths_(columns.size()), arrays_(columns.size(), ExportedArray(0)) {}

  void move_to(ArrowSchema& schema, ArrowArray& array) && {
    ExportedSchema table{.format = "+s", .name = "", .children = std::vector<ExportedSchema>(columns_.size())};
    for (const bool is_weights : {false, true}) {  // weights are as long as the lists that they weigh
      for (std::size_t index = 0; index < columns_.size(); ++index) {
        if (columns_[index].weighed.has_value() == is_weights) {
          table.children[index] = read(index);
        }
      }
    }
    ExportedArray rows(num_rows_);
    rows.add_buffer(std::vector<std::byte>());
    for (ExportedArray& each : arrays_) {
      rows.add_child(std::move(each));
    }
    std::move(table).move_to(schema);
    std::move(rows).move_to(array);
  }

 private:
  ExportedSchema read(std::size_t index) {
    const TensorColumn& column = columns_[index];
    if (!column.content) {
      lengths_[index].assign(num_rows_, 0);
      arrays_[index] = ExportedArray(num_rows_);
      arrays_[index].set_null_count(num_rows_);
      return {.format = "n", .name = column.name, .children = {}};
    }
    const std::size_t count = count_of(column, num_rows_);
    if (column.type == TensorType::kBytes) {
      return read(index, TextElements(column, count));
    }
    return column.type == TensorType::kInt64 ? read(index, NumberElements<std::int64_t>(column, count))
                                             : read(index, NumberElements<float>(column, count));
  }

  template <typename Elements>
  ExportedSchema read(std::size_t index, const Elements& elements) {
    const TensorColumn& column = columns_[index];
    const std::size_t width = column.width;
    if (column.rows == TensorRows::kValues) {
      arrays_[index] = elements.take(first(num_rows_));
      return {.format = Elements::kFormat, .name = column.name, .children = {}};
    }
    ExportedSchema item{.format = Elements::kFormat, .name = "item", .children = {}};
    if (column.rows == TensorRows::kVectors) {
      arrays_[index] = vectors_of(elements, num_rows_, width);
      return {.format = "+w:" + std::to_string(width), .name = column.name, .children = {std::move(item)}};
    }
    lengths_[index] = lengths_in(index, elements);
    arrays_[index] = lists_of(elements, lengths_[index], width);
    return {.format = "+L", .name = column.name, .children = {std::move(item)}};
  }

  template <typename Elements>
  Lengths lengths_in(std::size_t index, const Elements& elements) const {
    const TensorColumn& column = columns_[index];
    if constexpr (requires { elements[0]; }) {
      if (column.weighed) {
        const auto is_padding = [&](std::size_t i) { return elements.is_missing(i) || elements[i] == 0; };
        return lengths_of(num_rows_, column.width, &lengths_[*column.weighed], is_padding);
      }
    }
    return lengths_of(num_rows_, column.width, nullptr, [&](std::size_t i) { return elements.is_missing(i); });
  }

  std::span<const TensorColumn> columns_;
  std::size_t num_rows_;
  std::vector<Lengths> lengths_;
  std::vector<ExportedArray> arrays_;
};

}  // namespace

TextElements::TextElements(const TensorColumn& column, std::size_t count)
    : num_bytes_(column.content->size()), is_in_list_(column.rows == TensorRows::kLists) {
  std::span<const std::byte> rest = *column.content;
  texts_.reserve(std::min(count, rest.size() / sizeof(std::uint32_t)));
  while (texts_.size() < count) {
    if (rest.size() < sizeof(std::uint32_t)) {
      refuse(column, std::to_string(count) + " elements expected, got " + std::to_string(texts_.size()));
    }
    const std::uint32_t length = front_length(rest);
    rest = rest.subspan(sizeof(length));
    if (length > rest.size()) {
      refuse(column, "element " + std::to_string(texts_.size() + 1) + " reaches beyond the tensor");
    }
    texts_.emplace_back(reinterpret_cast<const char*>(rest.data()), length);
    if (!is_utf8(texts_.back())) {
      refuse(column, "the text at row " + row_number((texts_.size() - 1) / column.width) + " is not UTF-8");
    }
    rest = rest.subspan(length);
  }
  if (!rest.empty()) {
    refuse(column, std::to_string(count) + " elements expected, got more");
  }
}

template <typename T>
NumberElements<T>::NumberElements(const TensorColumn& column, std::size_t count)
    : bytes_(column.content->data()), is_in_list_(column.rows == TensorRows::kLists) {
  const std::size_t size = column.content->size();
  if (size != count * sizeof(T)) {
    refuse(column, std::to_string(count) + " numbers of " + std::to_string(sizeof(T)) + " bytes expected, got " +
                       std::to_string(size) + " bytes");
  }
}

template class NumberElements<std::int64_t>;
template class NumberElements<float>;

void export_tensors(std::span<const TensorColumn> columns, std::size_t num_rows, ArrowSchema& schema,
                    ArrowArray& array) {
  Batch(columns, num_rows).move_to(schema, array);
}

}  // namespace polyrank
