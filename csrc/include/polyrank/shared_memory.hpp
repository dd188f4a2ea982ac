#pragma once

#include <cstddef>
#include <span>

#include "polyrank/arrow_c_data.hpp"

namespace polyrank {

/// Whether `written` shares memory with a buffer of the array, of its dictionary or of its children. Of layouts that no
/// source reads it may say so where the memory only lies near. Costs no pass over the array. 8-byte numbers that lie at
/// `own`, where the results of the same rows go, do not count: each is read before its result is written. Throws
/// std::invalid_argument for formats that are none.
[[nodiscard]] bool shares_memory(const ArrowSchema& schema, const ArrowArray& array, std::span<const std::byte> written,
                                 const void* own = nullptr);

}  // namespace polyrank
