#include "missing_argument.hpp"

namespace polyrank {

namespace py = pybind11;

std::vector<std::string> missing_tokens(const py::handle& missing) {
  std::vector<std::string> tokens;
  if (py::len(missing) == 0) {
    return tokens;
  }
  for (const py::handle token : py::iter(missing)) {
    Py_ssize_t length = 0;
    const char* text = PyUnicode_AsUTF8AndSize(token.ptr(), &length);
    if (text != nullptr) {
      tokens.emplace_back(text, static_cast<std::size_t>(length));
    } else if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) != 0) {
      PyErr_Clear();
    } else {
      throw py::error_already_set();
    }
  }
  return tokens;
}

}  // namespace polyrank
