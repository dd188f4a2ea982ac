#pragma once

#include <cstdint>

/// Two vectors of lanes, or two of what belongs to them, that take every step side by side. A key's steps wait for one
/// another: a processor that sees the steps of two groups of keys in turn fills the pauses of one with the other.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

template <typename V>
struct Twin;

template <typename V>
[[gnu::always_inline]] inline Twin<V> twin(V a, V b) {
  return {a, b};
}

template <typename V>
struct Twin {
  V a;
  V b;

  [[gnu::always_inline]] friend Twin operator+(Twin x, Twin y) { return {x.a + y.a, x.b + y.b}; }
  [[gnu::always_inline]] friend Twin operator+(Twin x, V y) { return {x.a + y, x.b + y}; }
  [[gnu::always_inline]] friend Twin operator*(Twin x, V y) { return {x.a * y, x.b * y}; }
  [[gnu::always_inline]] friend Twin operator^(Twin x, Twin y) { return {x.a ^ y.a, x.b ^ y.b}; }
  [[gnu::always_inline]] friend Twin operator|(Twin x, Twin y) { return {x.a | y.a, x.b | y.b}; }
  [[gnu::always_inline]] friend Twin operator&(Twin x, V y) { return {x.a & y, x.b & y}; }
  [[gnu::always_inline]] friend Twin operator<<(Twin x, int bits) { return {x.a << bits, x.b << bits}; }
  [[gnu::always_inline]] friend Twin operator>>(Twin x, int bits) { return {x.a >> bits, x.b >> bits}; }

  // Of lengths and masks.
  [[gnu::always_inline]] auto widened() const { return twin(a.widened(), b.widened()); }
  [[gnu::always_inline]] auto has(std::uint32_t bits) const { return twin(a.has(bits), b.has(bits)); }
  [[gnu::always_inline]] auto has_all(std::uint32_t bits) const { return twin(a.has_all(bits), b.has_all(bits)); }
  template <typename Words>
  [[gnu::always_inline]] Twin<Words> pick(Twin<Words> then, Twin<Words> otherwise) const {
    return {a.pick(then.a, otherwise.a), b.pick(then.b, otherwise.b)};
  }
};

template <typename V>
struct Single {
  using Type = V;
};
template <typename V>
struct Single<Twin<V>> {
  using Type = V;
};

}  // namespace lanes
}  // namespace
}  // namespace polyrank
