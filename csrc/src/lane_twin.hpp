#pragma once

/// Two vectors of lanes that take every step side by side. A key's steps wait for one another: a processor that sees
/// the steps of two groups of keys in turn fills the pauses of one with the other.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

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
  [[gnu::always_inline]] friend Twin operator>>(Twin x, Twin bits) { return {x.a >> bits.a, x.b >> bits.b}; }
};

template <typename V>
struct Single {
  using Type = V;
};
template <typename V>
struct Single<Twin<V>> {
  using Type = V;
};

/// In each lane `then` where `word` is at least `least`, else `otherwise`.
template <typename V>
[[gnu::always_inline]] inline V if_least(V word, V least, V then, V otherwise) {
  return word >= least ? then : otherwise;
}
template <typename V>
[[gnu::always_inline]] inline Twin<V> if_least(Twin<V> word, V least, Twin<V> then, Twin<V> otherwise) {
  return {if_least(word.a, least, then.a, otherwise.a), if_least(word.b, least, then.b, otherwise.b)};
}

/// In each lane `then` where `word` has a bit of `bits`, else `otherwise`.
template <typename V>
[[gnu::always_inline]] inline V if_has(V word, V bits, V then, V otherwise) {
  return (word & bits) != 0 ? then : otherwise;
}
template <typename V>
[[gnu::always_inline]] inline Twin<V> if_has(Twin<V> word, V bits, Twin<V> then, Twin<V> otherwise) {
  return {if_has(word.a, bits, then.a, otherwise.a), if_has(word.b, bits, then.b, otherwise.b)};
}

}  // namespace lanes
}  // namespace
}  // namespace polyrank
