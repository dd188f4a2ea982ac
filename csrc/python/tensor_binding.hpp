#pragma once

#include <pybind11/pybind11.h>

namespace polyrank {

/// Adds TensorTable to the extension.
void bind_tensors(pybind11::module_& module);

}  // namespace polyrank
