#pragma once

#include <memory>

#include "arrow_buffers.hpp"
#include "plain_source.hpp"

namespace polyrank {

/// Text or bytes of any layout under dtype text, null where the format is none of these.
[[nodiscard]] std::unique_ptr<PlainSource> open_text(const ArrowBuffers& buffers, const SharedReading& how);

/// The width in a format such as `w:16`. Throws std::invalid_argument where there is none.
[[nodiscard]] std::size_t fixed_width(std::string_view format);

}  // namespace polyrank
