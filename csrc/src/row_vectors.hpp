#pragma once

#include <cstddef>
#include <cstring>

namespace polyrank {

/// Four floats that every 64-bit processor computes with at once. Written out, since compilers unroll loops over the 8
/// or 16 columns of a row before they look for vectors, and then miss them.
using Quad = float __attribute__((vector_size(16)));
constexpr std::size_t kQuad = 4;

inline Quad load_quad(const float* from) noexcept {
  Quad quad;
  std::memcpy(&quad, from, sizeof(quad));
  return quad;
}

inline void store_quad(Quad quad, float* to) noexcept { std::memcpy(to, &quad, sizeof(quad)); }

/// How many of the columns of a row whole quads hold.
constexpr std::size_t in_quads(std::size_t width) noexcept { return width - width % kQuad; }

template <typename Width>
void copy_row(const float* from, Width width, float* to) noexcept {
  const std::size_t whole = in_quads(width);
  for (std::size_t i = 0; i < whole; i += kQuad) {
    store_quad(load_quad(from + i), to + i);
  }
  for (std::size_t i = whole; i < width; ++i) {
    to[i] = from[i];
  }
}

template <typename Width>
void scale_row(const float* from, float factor, Width width, float* to) noexcept {
  const std::size_t whole = in_quads(width);
  for (std::size_t i = 0; i < whole; i += kQuad) {
    store_quad(factor * load_quad(from + i), to + i);
  }
  for (std::size_t i = whole; i < width; ++i) {
    to[i] = factor * from[i];
  }
}

/// Writes `combine(target, value)` over each target; `combine` takes quads and floats.
template <typename Width, typename Combine>
void combine_row(float* target, const float* values, Width width, const Combine& combine) noexcept {
  const std::size_t whole = in_quads(width);
  for (std::size_t i = 0; i < whole; i += kQuad) {
    store_quad(combine(load_quad(target + i), load_quad(values + i)), target + i);
  }
  for (std::size_t i = whole; i < width; ++i) {
    target[i] = combine(target[i], values[i]);
  }
}

}  // namespace polyrank
