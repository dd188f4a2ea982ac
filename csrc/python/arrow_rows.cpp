#include "arrow_rows.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "polyrank/shared_memory.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument("arrow array: " + why); }

template <typename Struct>
Owned<Struct> take(const py::handle& capsule, const char* name) {
  if (PyCapsule_IsValid(capsule.ptr(), name) == 0) {
    refuse(std::string("expected a capsule named ") + name);
  }
  auto& content = *static_cast<Struct*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (content.release == nullptr) {
    refuse(std::string("the capsule ") + name + " was already consumed");
  }
  return Owned<Struct>(content);
}

void check_stream(int error, ArrowArrayStream& stream) {
  if (error != 0) {
    const char* why = stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
    refuse(std::string("the stream failed: ") + (why == nullptr ? std::strerror(error) : why));
  }
}

// What a producer raises when it cannot hand its data over is about the column, not about this call.
py::object call(const py::object& values, const char* method) {
  try {
    return values.attr(method)();
  } catch (const py::error_already_set& error) {
    for (PyObject* type : {PyExc_TypeError, PyExc_ValueError, PyExc_NotImplementedError}) {
      if (error.matches(type)) {
        throw ExportError(py::cast<std::string>(py::str(error.value())));
      }
    }
    throw;
  }
}

// Small enough for the L1 cache together with what a source reads.
constexpr std::size_t kPieceRows = 4096;

}  // namespace

std::unique_ptr<ArrowRows> ArrowRows::of_array(const py::object& values) {
  const py::object pair = call(values, "__arrow_c_array__");
  if (!py::isinstance<py::tuple>(pair) || py::len(pair) != 2) {
    refuse("__arrow_c_array__ must return two capsules");
  }
  const auto capsules = py::reinterpret_borrow<py::tuple>(pair);
  // The schema stays with its capsule unless both are what they should be.
  auto array = take<ArrowArray>(capsules[1], "arrow_array");
  auto rows = std::make_unique<ArrowRows>(take<ArrowSchema>(capsules[0], "arrow_schema"));
  rows->append(std::move(array));
  return rows;
}

std::unique_ptr<ArrowRows> ArrowRows::of_stream(const py::object& values) {
  auto stream = take<ArrowArrayStream>(call(values, "__arrow_c_stream__"), "arrow_array_stream");
  const py::gil_scoped_release unlocked;  // a stream may compute what it gives
  Owned<ArrowSchema> schema;
  check_stream(stream.content.get_schema(&stream.content, &schema.content), stream.content);
  auto rows = std::make_unique<ArrowRows>(std::move(schema));
  while (true) {
    Owned<ArrowArray> array;
    check_stream(stream.content.get_next(&stream.content, &array.content), stream.content);
    if (array.content.release == nullptr) {
      return rows;
    }
    rows->append(std::move(array));
  }
}

void ArrowRows::append(Owned<ArrowArray> array) {
  constexpr std::int64_t kMaxRows = std::numeric_limits<std::int64_t>::max() / 16;
  const std::int64_t length = array.content.length;
  const std::int64_t offset = array.content.offset;
  if (length < 0 || offset < 0 || length > kMaxRows || offset > kMaxRows) {
    refuse("length " + std::to_string(length) + " and offset " + std::to_string(offset) +
           " must be 0 or above and fit 64 bits together");
  }
  size_ += static_cast<std::size_t>(length);
  arrays_.push_back(std::move(array));
}

bool ArrowRows::may_write(std::span<const std::int64_t> out) const {
  std::size_t first_row = 0;
  for (const auto& array : arrays_) {
    if (shares_memory(schema_.content, array.content, std::as_bytes(out), out.data() + first_row)) {
      return false;
    }
    first_row += static_cast<std::size_t>(array.content.length);
  }
  return true;
}

template <typename Hash>
void ArrowRows::for_each_chunk(const Reading& reading, const Hash& hash) const {
  const py::gil_scoped_release unlocked;
  std::size_t first_row = 0;
  for (const auto& array : arrays_) {
    try {
      const auto source = open_source(schema_.content, array.content, reading);
      for (std::size_t at = 0; at < source->size(); at += kPieceRows) {
        hash(*source, at, first_row + at, std::min(kPieceRows, source->size() - at));
      }
      first_row += source->size();
    } catch (const Refusal& refusal) {
      throw Refusal(refusal.reason(), first_row + refusal.row());
    }
  }
}

void ArrowRows::fingerprint(const PythonReading& how, std::span<std::int64_t> out) {
  for_each_chunk(how.reading, [&](const Source& source, std::size_t begin, std::size_t row, std::size_t count) {
    source.fingerprint(begin, out.subspan(row, count));
  });
}

void ArrowRows::chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) {
  for_each_chunk(how.reading, [&](const Source& source, std::size_t begin, std::size_t row, std::size_t count) {
    source.chain(begin, states.subspan(row, count), is_missing.subspan(row, count));
  });
}

}  // namespace polyrank
