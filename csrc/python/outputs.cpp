#include "outputs.hpp"

#include <string>

#include "huge_memory.hpp"

namespace polyrank {

namespace py = pybind11;

Fingerprints output(const py::object& out, std::size_t size) {
  if (!out.is_none()) {
    (void)writable<std::int64_t>(out, size, "out", "int64");
    return py::reinterpret_borrow<Fingerprints>(out);
  }
  if (size < kMinHugeBytes / sizeof(std::int64_t)) {
    return Fingerprints(static_cast<py::ssize_t>(size));
  }
  return array_over<std::int64_t>(
      huge_memory(size, sizeof(std::int64_t)), {static_cast<py::ssize_t>(size)},
      "no memory for " + std::to_string(size) + " fingerprints; give fewer values at a time");
}

std::span<std::int64_t> elements(Fingerprints& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

}  // namespace polyrank
