#pragma once

#include <pybind11/pybind11.h>

namespace polyrank {

/// Adds TablePlan to the module.
void bind_encode(pybind11::module_& module);

}  // namespace polyrank
