#pragma once

#include <cstdint>
#include <span>

namespace polyrank {

/// Copies past the caches where the processor can: whole cache lines are written without being read first, and what
/// lies in the caches stays. For output that is larger than they are. Call `end_streaming` before another thread reads.
void stream_copy(std::span<const std::int64_t> from, std::int64_t* to) noexcept;

void end_streaming() noexcept;

}  // namespace polyrank
