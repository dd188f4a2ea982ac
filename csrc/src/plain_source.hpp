#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "polyrank/missing_tokens.hpp"
#include "polyrank/source.hpp"
#include "target.hpp"

namespace polyrank {

using SharedReading = std::shared_ptr<const PreparedReading>;

/// Stands for a row that is missing where rows are picked.
inline constexpr std::size_t kNoRow = std::numeric_limits<std::size_t>::max();

/// A source whose rows lie one after another, and so can be the values of a dictionary.
class PlainSource : public Source {
 public:
  /// Chains up to kBlockRows rows in any order; kNoRow is missing.
  virtual void chain_at(std::span<const std::size_t> rows, const ChainTarget& target) const = 0;
};

/// Writes both ways of hashing as one: `Derived` has `hash(begin, target)` for either target, and this reading.
template <typename Derived>
class ReadSource : public PlainSource {
 public:
  explicit ReadSource(SharedReading how) noexcept : how_(std::move(how)) {}

  void fingerprint(std::size_t begin, std::span<std::int64_t> out) const final {
    self().hash(begin, FingerprintTarget(how_->seed, out));
  }
  void chain(std::size_t begin, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) const final {
    self().hash(begin, ChainTarget(states, is_missing));
  }

 protected:
  [[nodiscard]] const PreparedReading& how() const noexcept { return *how_; }

 private:
  [[nodiscard]] const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }

  SharedReading how_;
};

/// Calls `body(at, part)` for the blocks of a target.
template <typename Target, typename Body>
void for_each_block(const Target& target, const Body& body) {
  for (std::size_t at = 0; at < target.size(); at += kBlockRows) {
    body(at, target.part(at, std::min(kBlockRows, target.size() - at)));
  }
}

}  // namespace polyrank
