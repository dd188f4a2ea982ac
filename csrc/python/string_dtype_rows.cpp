#include "string_dtype_rows.hpp"

#include <memory>
#include <stdexcept>

namespace polyrank {
namespace {

namespace py = pybind11;

// What numpy's C API calls npy_string_allocator, npy_packed_static_string and npy_static_string.
struct Allocator;
struct PackedString {
  alignas(8) char bytes[16];
};
struct StaticString {
  std::size_t size;
  const char* buf;
};

/// The functions of numpy's C API that read such strings, taken from its table as a compiler's include would; so the
/// extension needs no numpy to be built, and still runs with numpy 1.
struct NpyString {
  int (*load)(Allocator*, const PackedString*, StaticString*);
  Allocator* (*acquire_allocator)(const PyObject* dtype);
  void (*release_allocator)(Allocator*);
};

const NpyString& npy_string() {
  static const NpyString api = [] {
    const py::object table = py::module_::import("numpy._core.multiarray").attr("_ARRAY_API");
    auto** slots = static_cast<void**>(PyCapsule_GetPointer(table.ptr(), nullptr));
    return NpyString{reinterpret_cast<decltype(NpyString::load)>(slots[313]),
                     reinterpret_cast<decltype(NpyString::acquire_allocator)>(slots[316]),
                     reinterpret_cast<decltype(NpyString::release_allocator)>(slots[318])};
  }();
  return api;
}

struct Release {
  void operator()(Allocator* allocator) const { npy_string().release_allocator(allocator); }
};

}  // namespace

StringDTypeRows::StringDTypeRows(py::array values)
    : BlockRows(static_cast<std::size_t>(values.size())), values_(std::move(values)), dtype_(values_.dtype()) {
  (void)npy_string();  // needs the GIL the first time
}

// Until the allocator is given back, no other thread can assign a text, which may move or free what is borrowed here.
std::shared_ptr<void> StringDTypeRows::gather(std::size_t begin, std::size_t count, const PythonReading& /*how*/,
                                              RowBlock& block) {
  const NpyString& api = npy_string();
  std::shared_ptr<Allocator> allocator(api.acquire_allocator(dtype_.ptr()), Release{});
  const auto* strings = static_cast<const PackedString*>(values_.data());
  for (std::size_t row = begin; row < begin + count; ++row) {
    StaticString text{};
    const int status = api.load(allocator.get(), strings + row, &text);
    if (status < 0) {
      throw std::runtime_error("numpy failed to load a string");
    }
    if (status > 0) {
      block.add_missing();
    } else {
      block.add_text({text.buf, text.size}, row);
    }
  }
  return allocator;
}

}  // namespace polyrank
