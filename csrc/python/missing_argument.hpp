#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

namespace polyrank {

/// The missing tokens that an iterable of text holds. Text without a UTF-8 form is left out: it equals no bytes, and
/// text like it is odd, so that Python compares it.
[[nodiscard]] std::vector<std::string> missing_tokens(const pybind11::handle& missing);

}  // namespace polyrank
