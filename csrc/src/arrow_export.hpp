#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "polyrank/arrow_c_data.hpp"

namespace polyrank {

/// An Arrow array that owns its buffers and its children, each with a `release` of its own, as the interface asks.
class ExportedArray {
 public:
  explicit ExportedArray(std::size_t length) : length_(static_cast<std::int64_t>(length)) {}

  /// Adds a buffer; an empty one is no buffer, as of the validity of an array without nulls.
  template <typename T>
  void add_buffer(std::vector<T> values) {
    const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    memory_.emplace_back(owner, owner->empty() ? nullptr : owner->data());
  }
  void add_child(ExportedArray child) { children_.push_back(std::move(child)); }
  void set_null_count(std::size_t count) noexcept { null_count_ = static_cast<std::int64_t>(count); }

  /// Moves all of it into `out`, whose release frees it.
  void move_to(ArrowArray& out) &&;

 private:
  struct Node;

  std::int64_t length_;
  std::int64_t null_count_ = 0;
  std::vector<std::shared_ptr<const void>> memory_;
  std::vector<ExportedArray> children_;
};

/// An Arrow schema that owns its texts and its children.
struct ExportedSchema {
  std::string format;
  std::string name;
  std::vector<ExportedSchema> children;

  void move_to(ArrowSchema& out) &&;

 private:
  struct Node;
};

}  // namespace polyrank
