#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <memory>
#include <span>

#include "rows.hpp"

namespace polyrank {

/// Rows of a one-dimensional numpy array of booleans, numbers, text of any kind, bytes or objects; in place where it is
/// contiguous, aligned and of this machine's byte order. Throws UnknownLayout for other types.
[[nodiscard]] std::shared_ptr<Rows> numpy_rows(const pybind11::array& values);

/// Whether an array and an output share no memory.
[[nodiscard]] bool is_apart(const pybind11::array& values, std::span<const std::int64_t> out) noexcept;

}  // namespace polyrank
