#include "outputs.hpp"

#include <cstdlib>
#include <limits>
#include <string>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace polyrank {
namespace {

namespace py = pybind11;

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kMinHugeBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxSize = std::numeric_limits<std::size_t>::max() / 2 / sizeof(std::int64_t);

Fingerprints in_huge_pages(std::size_t size) {
  const std::size_t bytes = (size * sizeof(std::int64_t) + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  void* memory = size > kMaxSize ? nullptr : std::aligned_alloc(kHugePageBytes, bytes);
  if (memory == nullptr) {
    const std::string why = "no memory for " + std::to_string(size) + " fingerprints; give fewer values at a time";
    py::set_error(PyExc_MemoryError, why.c_str());
    throw py::error_already_set();
  }
  const py::capsule owner(memory, [](void* pages) { std::free(pages); });
#ifdef __linux__
  madvise(memory, bytes, MADV_HUGEPAGE);  // advice: where it is refused, small pages do
#endif
  return Fingerprints(static_cast<py::ssize_t>(size), static_cast<std::int64_t*>(memory), owner);
}

}  // namespace

Fingerprints output(const py::object& out, std::size_t size) {
  if (!out.is_none()) {
    (void)writable<std::int64_t>(out, size, "out", "int64");
    return py::reinterpret_borrow<Fingerprints>(out);
  }
  if (size >= kMinHugeBytes / sizeof(std::int64_t)) {
    return in_huge_pages(size);
  }
  return Fingerprints(static_cast<py::ssize_t>(size));
}

std::span<std::int64_t> elements(Fingerprints& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

}  // namespace polyrank
