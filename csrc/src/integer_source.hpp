#pragma once

#include <memory>

#include "arrow_buffers.hpp"
#include "plain_source.hpp"

namespace polyrank {

/// Numbers under either dtype, booleans and text under int64; null where the format is none of these. Throws Refusal
/// (kBytes) for bytes under int64 unless all are null.
[[nodiscard]] std::unique_ptr<PlainSource> open_integers(const ArrowBuffers& buffers, const SharedReading& how);

/// uint64 under dtype text, where it may lie beyond int64.
[[nodiscard]] std::unique_ptr<PlainSource> open_unsigned_text(const ArrowBuffers& buffers, const SharedReading& how);

}  // namespace polyrank
