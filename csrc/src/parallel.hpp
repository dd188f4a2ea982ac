#pragma once

#include <cstddef>
#include <functional>

namespace polyrank {

/// Calls `part(0)` to `part(count - 1)`, each on a thread of its own, the first on the calling one. Of several
/// exceptions that of the lowest part is thrown, once all parts are done.
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& part);

}  // namespace polyrank
