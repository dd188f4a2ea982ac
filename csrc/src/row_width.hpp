#pragma once

#include <cstddef>
#include <type_traits>

namespace polyrank {

/// Calls `kernel` with the number of columns: as a constant of the type where it is a common one, so that the compiler
/// keeps a row in registers.
template <typename Kernel>
decltype(auto) with_width(std::size_t dim, const Kernel& kernel) noexcept {
  switch (dim) {
    case 8:
      return kernel(std::integral_constant<std::size_t, 8>{});
    case 16:
      return kernel(std::integral_constant<std::size_t, 16>{});
    case 32:
      return kernel(std::integral_constant<std::size_t, 32>{});
    case 64:
      return kernel(std::integral_constant<std::size_t, 64>{});
    default:
      return kernel(dim);
  }
}

}  // namespace polyrank
