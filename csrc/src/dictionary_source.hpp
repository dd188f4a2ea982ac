#pragma once

#include <memory>

#include "arrow_buffers.hpp"
#include "plain_source.hpp"

namespace polyrank {

/// Opens a source on the values of a dictionary.
using OpenValues = std::unique_ptr<PlainSource> (*)(const ArrowBuffers& values, const SharedReading& how);

/// Rows that are indices into a dictionary. Hashes every value of the dictionary at once, unless it is far longer than
/// its rows, and remembers instead of refusing those without a canonical form: only rows that use them are refused.
[[nodiscard]] std::unique_ptr<Source> open_dictionary(const ArrowBuffers& indices, const ArrowBuffers& values,
                                                      const SharedReading& how, OpenValues open_values);

}  // namespace polyrank
