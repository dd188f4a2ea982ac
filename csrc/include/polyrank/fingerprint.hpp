#pragma once

#include <cstdint>
#include <span>

#include "polyrank/columns.hpp"
#include "polyrank/levels.hpp"

/// Kernels of fingerprint format version 1 (docs/fingerprint.md) on the active level. A program calls active_level()
/// once before, since that may throw.
namespace polyrank {

inline constexpr std::int64_t kMissing = -1;

/// Writes the fingerprint of each key, kMissing for a missing one. `out` has column.size() elements; it may be the very
/// memory of an Int64Column's or DecimalColumn's values.
template <typename Column>
void fingerprint(const Column& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  active_level().fingerprint(column, seed, out);
}

/// One part of a cross: replaces each state by the full 64-bit hash of the key with that state as its seed. States
/// start as the format's seed; those of missing keys stay as they are, and the caller notes that their cross is
/// missing.
template <typename Column>
void chain(const Column& column, std::span<std::uint64_t> states) noexcept {
  active_level().chain(column, states);
}

/// The fingerprint that a full 64-bit hash stands for.
[[nodiscard]] constexpr std::int64_t to_fingerprint(std::uint64_t hash) noexcept {
  return static_cast<std::int64_t>(hash & 0x7FFF'FFFF'FFFF'FFFF);
}

}  // namespace polyrank
