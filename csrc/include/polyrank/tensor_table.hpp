#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "polyrank/arrow_c_data.hpp"

namespace polyrank {

/// What an element of a tensor is, and which one stands for a missing value: a single zero byte, the lowest integer,
/// NaN; in lists empty bytes and -1 too. Bytes are serialized as Triton does: the length of each element in 4 bytes,
/// little-endian, then the element.
enum class TensorType : std::uint8_t { kBytes, kInt64, kFloat };

/// What a row of a tensor is: a value; a list, behind whose last value missing ones are padding; a vector, which is
/// missing where all of its numbers are.
enum class TensorRows : std::uint8_t { kValues, kLists, kVectors };

struct TensorColumn {
  std::string name;
  TensorType type;
  TensorRows rows;
  std::size_t width;                                  ///< elements of a row
  std::optional<std::span<const std::byte>> content;  ///< none of a tensor that was not sent: every row is missing
  std::optional<std::size_t> weighed = std::nullopt;  ///< of lists of weights: the column of the lists that they weigh
};

/// Exports tensors as one Arrow record batch that owns its memory. A list of weights is as long as the list that it
/// weighs, or longer where it goes on with numbers other than 0.
///
/// Throws std::invalid_argument, naming the column, for content that is not `num_rows` x `width` elements.
void export_tensors(std::span<const TensorColumn> columns, std::size_t num_rows, ArrowSchema& schema,
                    ArrowArray& array);

}  // namespace polyrank
