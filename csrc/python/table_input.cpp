#include "table_input.hpp"

#include <stdexcept>
#include <string>

namespace polyrank {
namespace {

namespace py = pybind11;

template <typename Struct>
Struct& open_capsule(const py::handle& capsule, const char* name) {
  if (PyCapsule_IsValid(capsule.ptr(), name) == 0) {
    throw std::invalid_argument(std::string("arrow table: expected a capsule named ") + name);
  }
  auto& content = *static_cast<Struct*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (content.release == nullptr) {
    throw std::invalid_argument(std::string("arrow table: the capsule ") + name + " was already consumed");
  }
  return content;
}

void check(ArrowArrayStream& stream, int status) {
  if (status != 0) {
    const char* why = stream.get_last_error(&stream);
    throw std::invalid_argument("arrow table: " + std::string(why == nullptr ? "the stream failed" : why));
  }
}

}  // namespace

TableInput::TableInput(const py::object& rows) {
  if (py::hasattr(rows, "__arrow_c_array__")) {
    const py::tuple capsules = rows.attr("__arrow_c_array__")();
    if (capsules.size() != 2) {
      throw std::invalid_argument("arrow table: expected two capsules");
    }
    schema_ = std::make_unique<Owned<ArrowSchema>>(open_capsule<ArrowSchema>(capsules[0], "arrow_schema"));
    add_chunk(open_capsule<ArrowArray>(capsules[1], "arrow_array"));
    return;
  }
  const py::object capsule = rows.attr("__arrow_c_stream__")();
  stream_ = std::make_unique<Owned<ArrowArrayStream>>(open_capsule<ArrowArrayStream>(capsule, "arrow_array_stream"));
}

void TableInput::read() {
  if (stream_ == nullptr) {
    return;
  }
  ArrowArrayStream& stream = stream_->content;
  ArrowSchema schema{};
  check(stream, stream.get_schema(&stream, &schema));
  schema_ = std::make_unique<Owned<ArrowSchema>>(schema);
  for (ArrowArray chunk{};;) {
    check(stream, stream.get_next(&stream, &chunk));
    if (chunk.release == nullptr) {
      return;
    }
    add_chunk(chunk);
  }
}

void TableInput::add_chunk(ArrowArray& chunk) {
  arrays_.push_back(std::make_unique<Owned<ArrowArray>>(chunk));
  chunks_.push_back(&arrays_.back()->content);
}

}  // namespace polyrank
