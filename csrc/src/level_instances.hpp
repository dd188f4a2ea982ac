#pragma once

#include "polyrank/levels.hpp"

/// Every level that is compiled in. Calling one beyond what the processor has is undefined; levels.cpp asks first.
namespace polyrank {

[[nodiscard]] const Level& scalar_level() noexcept;
#if defined(__x86_64__)
[[nodiscard]] const Level& avx2_level() noexcept;
[[nodiscard]] const Level& avx512_level() noexcept;
#endif

}  // namespace polyrank
