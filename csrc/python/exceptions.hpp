#pragma once

#include <pybind11/pybind11.h>

namespace polyrank {

/// Adds the exceptions of the extension to its module, and translates C++'s to them:
/// RefusalError(reason, row), UnknownLayoutError, ArrayError and ExportError with a message, all of them ValueErrors.
void add_exceptions(pybind11::module_& module);

}  // namespace polyrank
