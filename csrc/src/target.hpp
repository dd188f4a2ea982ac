#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "polyrank/block.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/missing_tokens.hpp"

/// Where the hashes of a run of rows go. Both targets take the same calls, so that each source is written once.
namespace polyrank {

class FingerprintTarget {
 public:
  FingerprintTarget(std::uint64_t seed, std::span<std::int64_t> out) noexcept : seed_(seed), out_(out) {}

  [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
  [[nodiscard]] FingerprintTarget part(std::size_t begin, std::size_t count) const noexcept {
    return {seed_, out_.subspan(begin, count)};
  }
  template <typename Column>
  void put(const Column& column) const noexcept {
    fingerprint(column, seed_, out_);
  }
  void put_missing(std::size_t index) const noexcept { out_[index] = kMissing; }
  /// Whether the row just put may be a token: spares most rows the comparison.
  [[nodiscard]] bool may_be_token(std::size_t index, const MissingTokens& tokens) const noexcept {
    return tokens.may_contain(out_[index]);
  }

 private:
  std::uint64_t seed_;
  std::span<std::int64_t> out_;
};

class ChainTarget {
 public:
  ChainTarget(std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) noexcept
      : states_(states), is_missing_(is_missing) {}

  [[nodiscard]] std::size_t size() const noexcept { return states_.size(); }
  [[nodiscard]] ChainTarget part(std::size_t begin, std::size_t count) const noexcept {
    return {states_.subspan(begin, count), is_missing_.subspan(begin, count)};
  }
  template <typename Column>
  void put(const Column& column) const noexcept {
    chain(column, states_);
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (!column.is_present(i)) {
        is_missing_[i] = 1;
      }
    }
  }
  void put_missing(std::size_t index) const noexcept { is_missing_[index] = 1; }
  [[nodiscard]] bool may_be_token(std::size_t /*index*/, const MissingTokens& /*tokens*/) const noexcept {
    return true;
  }

 private:
  std::span<std::uint64_t> states_;
  std::span<std::uint8_t> is_missing_;
};

/// Puts the keys of a column, those that are missing tokens as missing.
template <typename Column, typename Target>
void put_keys(const Column& column, const MissingTokens& tokens, const Target& target) {
  target.put(column);
  if (!tokens.has_texts()) {
    return;
  }
  for (std::size_t i = 0; i < column.size(); ++i) {
    if (target.may_be_token(i, tokens) && column.is_present(i)) {
      const std::span<const std::uint8_t> key = column.key(i);
      if (tokens.contains(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()))) {
        target.put_missing(i);
      }
    }
  }
}

/// Puts integers as the reading's dtype has them, those that a missing token stands for as missing.
template <typename Target>
void put_integers(Block& block, const PreparedReading& how, const Target& target) {
  for (std::size_t i = 0; how.tokens.has_integers() && i < block.values().size(); ++i) {
    if (how.tokens.contains(block.values()[i])) {
      block.set_missing(i);
    }
  }
  if (how.dtype == Dtype::kInt64) {
    target.put(Int64Column{.values = block.values(), .validity = block.validity()});
  } else {
    target.put(DecimalColumn{.values = block.values(), .validity = block.validity()});
  }
}

}  // namespace polyrank
