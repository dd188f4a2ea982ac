#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "polyrank/arrow_c_data.hpp"
#include "polyrank/fingerprint.hpp"

namespace polyrank {

/// Text or bytes as they lie in an Arrow array, to be read rather than hashed. Borrows the array.
class TextColumn {
 public:
  /// Throws UnknownLayout for another type, std::invalid_argument for structures that contradict themselves.
  TextColumn(const ArrowSchema& schema, const ArrowArray& array);
  TextColumn(const TextColumn&) = delete;
  TextColumn& operator=(const TextColumn&) = delete;

  /// Calls `read(bytes)` for a present row, or `missing()`.
  template <typename Read, typename Missing>
  void visit(std::size_t row, const Read& read, const Missing& missing) const {
    std::visit(
        [&](const auto& column) {
          if (column.is_present(row)) {
            read(column.key(row));
          } else {
            missing();
          }
        },
        column_);
  }

 private:
  std::variant<StringColumn<std::int32_t>, StringColumn<std::int64_t>, ViewColumn> column_;
  std::vector<const std::uint8_t*> data_;
};

}  // namespace polyrank
