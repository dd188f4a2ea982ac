#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lane_hash.hpp"

/// Where the hashes of a column go: they become fingerprints, or replace the states that were their seeds.
namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

template <typename V>
class Fingerprints {
 public:
  Fingerprints(std::uint64_t seed, std::int64_t* out) : seed_(seed), out_(out) {}

  [[nodiscard]] Fingerprints from(std::size_t index) const { return {seed_, out_ + index}; }
  [[nodiscard]] std::uint64_t seed(std::size_t /*index*/) const { return seed_; }
  [[nodiscard]] V seeds(std::size_t /*begin*/, std::size_t /*count*/) const { return V{} + seed_; }
  template <typename IndexOf>
  [[nodiscard]] V seeds_at(const IndexOf& /*index_of*/) const {
    return V{} + seed_;
  }

  void put(std::size_t begin, std::size_t count, V hash) const {
    hash &= each_lane<V>(0x7FFF'FFFF'FFFF'FFFF);
    std::memcpy(out_ + begin, &hash, count * sizeof(std::uint64_t));
  }
  void put(std::size_t begin, std::size_t count, V hash, V is_present) const {
    hash = is_present != 0 ? hash & 0x7FFF'FFFF'FFFF'FFFF : ~V{};
    std::memcpy(out_ + begin, &hash, count * sizeof(std::uint64_t));
  }

 private:
  std::uint64_t seed_;
  std::int64_t* out_;
};

template <typename V>
class States {
 public:
  explicit States(std::uint64_t* states) : states_(states) {}

  [[nodiscard]] States from(std::size_t index) const { return States(states_ + index); }
  [[nodiscard]] std::uint64_t seed(std::size_t index) const { return states_[index]; }
  [[nodiscard]] V seeds(std::size_t begin, std::size_t count) const {
    V words{};
    std::memcpy(&words, states_ + begin, count * sizeof(std::uint64_t));
    return words;
  }
  template <typename IndexOf>
  [[nodiscard]] V seeds_at(const IndexOf& index_of) const {
    V words;
    for (std::size_t lane = 0; lane < sizeof(V) / sizeof(std::uint64_t); ++lane) {
      words[lane] = states_[index_of(lane)];
    }
    return words;
  }

  void put(std::size_t begin, std::size_t count, V hash) const {
    std::memcpy(states_ + begin, &hash, count * sizeof(std::uint64_t));
  }
  void put(std::size_t begin, std::size_t count, V hash, V is_present) const {
    put(begin, count, is_present != 0 ? hash : seeds(begin, count));
  }

 private:
  std::uint64_t* states_;
};

}  // namespace lanes
}  // namespace
}  // namespace polyrank
