#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace polyrank {

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};
using HugeMemory = std::unique_ptr<void, Free>;

inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
inline constexpr std::size_t kMinHugeBytes = 2 * kHugePageBytes;

/// Memory for `count` times `size` bytes, in huge pages where the system has them: to touch fresh small pages costs
/// more than to hash what goes into them. Worth it from kMinHugeBytes on. Null where there is none.
[[nodiscard]] inline HugeMemory huge_memory(std::size_t count, std::size_t size) noexcept {
  constexpr std::size_t kMaxBytes = std::numeric_limits<std::size_t>::max() / 2;
  if (count > kMaxBytes / size) {
    return nullptr;
  }
  const std::size_t num_bytes = (count * size + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  HugeMemory memory(std::aligned_alloc(kHugePageBytes, num_bytes));
#ifdef MADV_HUGEPAGE
  if (memory != nullptr) {
    madvise(memory.get(), num_bytes, MADV_HUGEPAGE);  // advice: where it is refused, small pages do
  }
#endif
  return memory;
}

/// An array of T that owns `memory`. Throws MemoryError, with the message, where that is null.
template <typename T>
[[nodiscard]] pybind11::array_t<T> array_over(HugeMemory memory, const pybind11::array::ShapeContainer& shape,
                                              const std::string& no_memory) {
  namespace py = pybind11;
  if (memory == nullptr) {
    py::set_error(PyExc_MemoryError, no_memory.c_str());
    throw py::error_already_set();
  }
  const py::capsule owner(memory.get(), [](void* owned) { std::free(owned); });
  return py::array_t<T>(shape, static_cast<T*>(memory.release()), owner);
}

}  // namespace polyrank
