#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "polyrank/xxhash64.hpp"

/// What fuzzers make out of their input.
namespace polyrank {

/// Copies of exactly the size asked for, on the heap, so that AddressSanitizer sees one byte too many.
template <typename T>
class Exact {
 public:
  explicit Exact(std::span<const T> values) : data_(new T[values.size()]), size_(values.size()) {
    std::copy(values.begin(), values.end(), data_.get());
  }
  [[nodiscard]] std::span<T> span() const { return {data_.get(), size_}; }

 private:
  std::unique_ptr<T[]> data_;
  std::size_t size_;
};

/// What the input says and, once it is used up, random numbers that follow from it: short inputs make full columns too.
class Draws {
 public:
  explicit Draws(std::span<const std::uint8_t> input) : input_(input.data(), input.size()), state_(xxh64(input, 0)) {}

  std::uint64_t in_range(std::uint64_t low, std::uint64_t high) {
    if (input_.remaining_bytes() > 0) {
      return input_.ConsumeIntegralInRange(low, high);
    }
    const std::uint64_t random = next();
    return high - low == UINT64_MAX ? random : low + random % (high - low + 1);
  }
  std::uint64_t word() { return in_range(0, UINT64_MAX); }
  std::vector<std::uint8_t> bytes(std::size_t count) {
    std::vector<std::uint8_t> result = input_.ConsumeBytes<std::uint8_t>(count);
    while (result.size() < count) {
      result.push_back(static_cast<std::uint8_t>(next()));
    }
    return result;
  }

 private:
  // SplitMix64: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  FuzzedDataProvider input_;
  std::uint64_t state_;
};

}  // namespace polyrank
