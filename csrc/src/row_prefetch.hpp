#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace polyrank {

/// How many rows ahead of its use a row of a table is asked for: enough for the latency of memory.
constexpr std::size_t kRowsAhead = 32;

/// Asks for every cache line of `count` floats.
inline void prefetch(const float* first, std::size_t count) noexcept {
  constexpr std::size_t kLineFloats = 64 / sizeof(float);
  for (std::size_t i = 0; i < count; i += kLineFloats) {
    __builtin_prefetch(first + i);
  }
  __builtin_prefetch(first + count - 1);
}

/// The row that comes kRowsAhead after `at`, or the last.
inline std::int64_t row_ahead(std::span<const std::int64_t> rows, std::size_t at) noexcept {
  return rows[std::min(at + kRowsAhead, rows.size() - 1)];
}

}  // namespace polyrank
