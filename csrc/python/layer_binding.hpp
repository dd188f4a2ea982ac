#pragma once

#include <pybind11/pybind11.h>

namespace polyrank {

/// Adds what layers do beside products of matrices to the module.
void bind_layers(pybind11::module_& module);

}  // namespace polyrank
