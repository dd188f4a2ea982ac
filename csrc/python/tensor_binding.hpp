#pragma once

#include <pybind11/pybind11.h>

namespace polyrank {

/// Adds TensorTable and TensorLayout to the module.
void bind_tensors(pybind11::module_& module);

}  // namespace polyrank
