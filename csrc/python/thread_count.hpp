#pragma once

#include <cstddef>
#include <stdexcept>

namespace polyrank {

inline void check_threads(std::size_t num_threads) {
  if (num_threads == 0) {
    throw std::invalid_argument("threads must be 1 or above, got 0");
  }
}

}  // namespace polyrank
