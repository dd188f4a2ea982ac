#include "arrow_rows.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "arrow_capsules.hpp"
#include "polyrank/shared_memory.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

constexpr const char* kArray = "arrow array";

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
  auto [schema, array] = take_array(call(values, "__arrow_c_array__"), kArray);
  auto rows = std::make_unique<ArrowRows>(std::move(schema));
  rows->append(std::move(array));
  return rows;
}

std::unique_ptr<ArrowRows> ArrowRows::of_stream(const py::object& values) {
  auto stream = take_capsule<ArrowArrayStream>(call(values, "__arrow_c_stream__"), "arrow_array_stream", kArray);
  const py::gil_scoped_release unlocked;  // a stream may compute what it gives
  auto rows = std::make_unique<ArrowRows>(schema_of_stream(stream.content, kArray));
  for_each_of_stream(stream.content, kArray, [&](Owned<ArrowArray> array) { rows->append(std::move(array)); });
  return rows;
}

void ArrowRows::append(Owned<ArrowArray> array) {
  constexpr std::int64_t kMaxRows = std::numeric_limits<std::int64_t>::max() / 16;
  const std::int64_t length = array.content.length;
  const std::int64_t offset = array.content.offset;
  if (length < 0 || offset < 0 || length > kMaxRows || offset > kMaxRows) {
    refuse_export(kArray, "length " + std::to_string(length) + " and offset " + std::to_string(offset) +
                              " must be in [0, 2**59)");
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
    } catch (const WrongIndex& wrong) {
      throw wrong.from_row(first_row);
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
