#include "text_column.hpp"

#include <string_view>

#include "arrow_buffers.hpp"
#include "polyrank/source.hpp"

namespace polyrank {

TextColumn::TextColumn(const ArrowSchema& schema, const ArrowArray& array) {
  const ArrowBuffers buffers(schema, array);
  const std::string_view format = buffers.format();
  if (array.dictionary != nullptr || buffers.is_extension()) {
    throw UnknownLayout();
  }
  if (format == "u" || format == "z") {
    column_ = buffers.strings<std::int32_t>();
  } else if (format == "U" || format == "Z") {
    column_ = buffers.strings<std::int64_t>();
  } else if (format == "vu" || format == "vz") {
    column_ = buffers.views(data_);
  } else {
    throw UnknownLayout();
  }
}

}  // namespace polyrank
