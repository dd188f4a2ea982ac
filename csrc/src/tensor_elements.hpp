#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrow_export.hpp"
#include "polyrank/tensor_table.hpp"

namespace polyrank {

/// Bits of presence; none where every element is present.
class Presence {
 public:
  explicit Presence(std::size_t size) : size_(size) {}

  void set_missing(std::size_t index) {
    if (bits_.empty()) {
      bits_.assign((size_ + 7) / 8, std::uint8_t{0xff});
    }
    bits_[index / 8] &= static_cast<std::uint8_t>(~(1U << (index % 8)));
    ++count_;
  }
  void move_to(ExportedArray& array) && {
    array.add_buffer(std::move(bits_));
    array.set_null_count(count_);
  }

 private:
  std::size_t size_;
  std::size_t count_ = 0;
  std::vector<std::uint8_t> bits_;
};

/// The elements of a tensor of bytes. Borrows its content.
class TextElements {
 public:
  static constexpr const char* kFormat = "U";

  /// Throws std::invalid_argument where the content is not `count` elements.
  TextElements(const TensorColumn& column, std::size_t count);

  [[nodiscard]] bool is_missing(std::size_t index) const noexcept {
    const std::string_view text = texts_[index];
    return text.empty() ? is_in_list_ : text.size() == 1 && text[0] == '\0';
  }

  /// An array of the elements that `indices` name.
  [[nodiscard]] ExportedArray take(std::span<const std::size_t> indices) const {
    const std::size_t count = indices.size();
    Presence presence(count);
    std::vector<std::int64_t> offsets{0};
    offsets.reserve(count + 1);
    std::vector<char> bytes;
    bytes.reserve(num_bytes_);
    for (const std::size_t index : indices) {
      if (is_missing(index)) {
        presence.set_missing(offsets.size() - 1);
      }
      bytes.insert(bytes.end(), texts_[index].begin(), texts_[index].end());
      offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    }
    ExportedArray array(count);
    std::move(presence).move_to(array);
    array.add_buffer(std::move(offsets));
    array.add_buffer(std::move(bytes));
    return array;
  }

 private:
  std::vector<std::string_view> texts_;
  std::size_t num_bytes_;
  bool is_in_list_;
};

/// The elements of a tensor of numbers, which may lie at any address.
template <typename T>
class NumberElements {
 public:
  static constexpr const char* kFormat = std::is_floating_point_v<T> ? "f" : "l";

  /// Throws std::invalid_argument where the content is not `count` elements.
  NumberElements(const TensorColumn& column, std::size_t count);

  [[nodiscard]] T operator[](std::size_t index) const noexcept {
    T value;
    std::memcpy(&value, bytes_ + index * sizeof(T), sizeof(T));
    return value;
  }
  [[nodiscard]] bool is_missing(std::size_t index) const noexcept {
    const T value = (*this)[index];
    if constexpr (std::is_floating_point_v<T>) {
      return value != value;
    } else {
      return value == std::numeric_limits<T>::min() || (is_in_list_ && value == -1);
    }
  }

  [[nodiscard]] ExportedArray take(std::span<const std::size_t> indices) const {
    const std::size_t count = indices.size();
    Presence presence(count);
    std::vector<T> values;
    values.reserve(count);
    for (const std::size_t index : indices) {
      if (is_missing(index)) {
        presence.set_missing(values.size());
      }
      values.push_back((*this)[index]);
    }
    ExportedArray array(count);
    std::move(presence).move_to(array);
    array.add_buffer(std::move(values));
    return array;
  }

 private:
  const std::byte* bytes_;
  bool is_in_list_;
};

}  // namespace polyrank
