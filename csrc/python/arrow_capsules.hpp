#pragma once

#include <pybind11/pybind11.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "owned.hpp"
#include "polyrank/arrow_c_data.hpp"

/// Arrow's structs as a producer hands them over. What is wrong with them is thrown as std::invalid_argument that calls
/// them `what`: "arrow array" or "arrow table".
namespace polyrank {

[[noreturn]] inline void refuse_export(const char* what, const std::string& why) {
  throw std::invalid_argument(std::string(what) + ": " + why);
}

/// Moves the struct out of a capsule.
template <typename Struct>
[[nodiscard]] Owned<Struct> take_capsule(const pybind11::handle& capsule, const char* name, const char* what) {
  if (PyCapsule_IsValid(capsule.ptr(), name) == 0) {
    refuse_export(what, std::string("expected a capsule named ") + name);
  }
  auto& content = *static_cast<Struct*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (content.release == nullptr) {
    refuse_export(what, std::string("the capsule ") + name + " was already consumed");
  }
  return Owned<Struct>(content);
}

/// Moves both structs out of what `__arrow_c_array__` returned.
[[nodiscard]] inline std::pair<Owned<ArrowSchema>, Owned<ArrowArray>> take_array(const pybind11::object& pair,
                                                                                 const char* what) {
  namespace py = pybind11;
  if (!py::isinstance<py::tuple>(pair) || py::len(pair) != 2) {
    refuse_export(what, "__arrow_c_array__ must return two capsules");
  }
  const auto capsules = py::reinterpret_borrow<py::tuple>(pair);
  // The schema stays with its capsule unless both are what they should be.
  auto array = take_capsule<ArrowArray>(capsules[1], "arrow_array", what);
  return {take_capsule<ArrowSchema>(capsules[0], "arrow_schema", what), std::move(array)};
}

inline void check_stream(int error, ArrowArrayStream& stream, const char* what) {
  if (error != 0) {
    const char* why = stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
    refuse_export(what, std::string("the stream failed: ") + (why == nullptr ? std::strerror(error) : why));
  }
}

/// What the arrays of a stream are. Needs no GIL, like the next.
[[nodiscard]] inline Owned<ArrowSchema> schema_of_stream(ArrowArrayStream& stream, const char* what) {
  Owned<ArrowSchema> schema;
  check_stream(stream.get_schema(&stream, &schema.content), stream, what);
  return schema;
}

/// Calls `add(array)` for each array of a stream, up to its end.
template <typename Add>
void for_each_of_stream(ArrowArrayStream& stream, const char* what, const Add& add) {
  while (true) {
    Owned<ArrowArray> array;
    check_stream(stream.get_next(&stream, &array.content), stream, what);
    if (array.content.release == nullptr) {
      return;
    }
    add(std::move(array));
  }
}

}  // namespace polyrank
