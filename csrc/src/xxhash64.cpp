#include "polyrank/xxhash64.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace polyrank {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4F;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5;
constexpr std::size_t kStripeBytes = 32;

static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big);

std::uint64_t read64(const std::uint8_t* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
}

std::uint64_t read32(const std::uint8_t* from) noexcept {
  std::uint32_t word;
  std::memcpy(&word, from, sizeof word);
  return std::endian::native == std::endian::little ? word : __builtin_bswap32(word);
}

std::uint64_t round(std::uint64_t lane, std::uint64_t word) noexcept {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

// Steps 1 to 3 of the specification, for keys of at least one stripe: four lanes eat the whole stripes and converge.
std::uint64_t consume_stripes(std::span<const std::uint8_t> bytes, std::uint64_t seed) noexcept {
  std::array<std::uint64_t, 4> lanes{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
  for (; bytes.size() >= kStripeBytes; bytes = bytes.subspan(kStripeBytes)) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      lanes[lane] = round(lanes[lane], read64(bytes.data() + 8 * lane));
    }
  }
  std::uint64_t hash =
      std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  for (const std::uint64_t lane : lanes) {
    hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
  }
  return hash;
}

// Step 5: fewer than 32 bytes, by 8, then 4, then 1.
std::uint64_t consume_tail(std::uint64_t hash, std::span<const std::uint8_t> tail) noexcept {
  for (; tail.size() >= 8; tail = tail.subspan(8)) {
    hash = std::rotl(hash ^ round(0, read64(tail.data())), 27) * kPrime1 + kPrime4;
  }
  if (tail.size() >= 4) {
    hash = std::rotl(hash ^ (read32(tail.data()) * kPrime1), 23) * kPrime2 + kPrime3;
    tail = tail.subspan(4);
  }
  for (const std::uint64_t byte : tail) {
    hash = std::rotl(hash ^ (byte * kPrime5), 11) * kPrime1;
  }
  return hash;
}

// Step 6.
std::uint64_t avalanche(std::uint64_t hash) noexcept {
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace

std::uint64_t xxh64(std::span<const std::uint8_t> bytes, std::uint64_t seed) noexcept {
  std::uint64_t hash = bytes.size() >= kStripeBytes ? consume_stripes(bytes, seed) : seed + kPrime5;
  hash += bytes.size();
  return avalanche(consume_tail(hash, bytes.last(bytes.size() % kStripeBytes)));
}

}  // namespace polyrank
