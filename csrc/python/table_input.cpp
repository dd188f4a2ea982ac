#include "table_input.hpp"

#include <utility>

#include "arrow_capsules.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

constexpr const char* kTable = "arrow table";

}  // namespace

TableInput::TableInput(const py::object& rows) {
  if (py::hasattr(rows, "__arrow_c_array__")) {
    auto [schema, array] = take_array(rows.attr("__arrow_c_array__")(), kTable);
    schema_ = std::make_unique<Owned<ArrowSchema>>(std::move(schema));
    add_chunk(std::move(array));
    return;
  }
  stream_ = std::make_unique<Owned<ArrowArrayStream>>(
      take_capsule<ArrowArrayStream>(rows.attr("__arrow_c_stream__")(), "arrow_array_stream", kTable));
}

void TableInput::read() {
  if (stream_ != nullptr) {
    schema_ = std::make_unique<Owned<ArrowSchema>>(schema_of_stream(stream_->content, kTable));
    for_each_of_stream(stream_->content, kTable, [&](Owned<ArrowArray> chunk) { add_chunk(std::move(chunk)); });
  }
}

void TableInput::add_chunk(Owned<ArrowArray> chunk) {
  arrays_.push_back(std::make_unique<Owned<ArrowArray>>(std::move(chunk)));
  chunks_.push_back(&arrays_.back()->content);
}

}  // namespace polyrank
