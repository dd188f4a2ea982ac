#pragma once

#include <cstddef>
#include <string>

namespace polyrank {

/// A row as messages have it: counted from 1, with a comma before every three digits.
[[nodiscard]] inline std::string row_number(std::size_t row) {
  std::string digits = std::to_string(row + 1);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

}  // namespace polyrank
