#pragma once

#include <pybind11/pybind11.h>

namespace polyrank {

/// Adds lookups and sparse updates of embedding tables to the module.
void bind_embedding_rows(pybind11::module_& module);

}  // namespace polyrank
