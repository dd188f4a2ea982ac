#pragma once

#include <cstdint>
#include <span>

namespace polyrank {

/// XXH64 of `bytes`, as the public xxHash specification defines it
/// (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, "XXH64 Algorithm Description").
/// The answer does not depend on the byte order of the host nor on alignment.
[[nodiscard]] std::uint64_t xxh64(std::span<const std::uint8_t> bytes, std::uint64_t seed) noexcept;

}  // namespace polyrank
