#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "owned.hpp"
#include "polyrank/arrow_c_data.hpp"

namespace polyrank {

/// A whole table taken by one export: `__arrow_c_array__` (a record batch) or `__arrow_c_stream__`.
class TableInput {
 public:
  /// Calls the export, so it needs the GIL. Throws what that raises, and std::invalid_argument for capsules that are
  /// not Arrow's.
  explicit TableInput(const pybind11::object& rows);

  /// Takes the schema and every chunk from the stream. Needs no GIL. Throws std::invalid_argument where the stream
  /// fails.
  void read();

  [[nodiscard]] const ArrowSchema& schema() const { return schema_->content; }
  [[nodiscard]] std::span<const ArrowArray* const> chunks() const noexcept { return chunks_; }

 private:
  void add_chunk(Owned<ArrowArray> chunk);

  std::unique_ptr<Owned<ArrowArrayStream>> stream_;
  std::unique_ptr<Owned<ArrowSchema>> schema_;
  std::vector<std::unique_ptr<Owned<ArrowArray>>> arrays_;
  std::vector<const ArrowArray*> chunks_;
};

}  // namespace polyrank
