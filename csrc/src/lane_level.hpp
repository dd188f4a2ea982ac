#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "column_checks.hpp"
#include "lane_block.hpp"
#include "lane_columns.hpp"
#include "lane_decimal.hpp"
#include "lane_hash.hpp"
#include "lane_long.hpp"
#include "lane_short.hpp"
#include "lane_targets.hpp"
#include "polyrank/levels.hpp"

namespace polyrank {
namespace {  // NOLINT(google-build-namespaces): see lane_hash.hpp

namespace lanes {

/// Calls hash(block, begin) for blocks of a column, each with its size and presence set.
template <typename Isa, typename Column, typename Hash>
void each_block(const Column& column, const Hash& hash) {
  Block<Isa> block;
  for (std::size_t begin = 0; begin < column.size(); begin += kBlock) {
    block.size = std::min(kBlock, column.size() - begin);
    note_presence(block, column, begin);
    hash(block, begin);
  }
}

/// Whether the keys of all full groups can be read to kShort bytes: offsets never decrease, so the last of them tells.
template <typename Isa, typename Offset>
bool can_overread(const Block<Isa>& block, const StringColumn<Offset>& column, std::size_t begin) {
  const std::size_t full = block.size - block.size % Isa::kLanes;
  return full > 0 && end_of(column) - begin_of(column, begin + full - 1) >= static_cast<std::ptrdiff_t>(kShort);
}

template <typename Isa, typename Column, typename Target>
void hash_short_keys(Block<Isa>& block, const Column& column, std::size_t begin, const Target& target) {
  gather_keys(block, column, begin);
  hash_short(block, FromKeys<Isa>{block}, target);
}

template <typename Isa, typename Offset>
void hash_short_keys(Block<Isa>& block, const StringColumn<Offset>& column, std::size_t begin,
                     const Fingerprints<typename Isa::V>& target) {
  if (can_overread(block, column, begin)) {
    hash_short(block, FromColumn<Isa, StringColumn<Offset>>{column, begin}, target);
  } else {
    gather_keys(block, column, begin);
    hash_short(block, FromKeys<Isa>{block}, target);
  }
}

template <typename Isa>
void hash_short_keys(Block<Isa>& block, const ViewColumn& column, std::size_t begin,
                     const Fingerprints<typename Isa::V>& target) {
  if (block.longest <= View::kInlineBytes) {
    hash_short(block, FromViews<Isa>{&column.views[begin]}, target);
  } else {
    gather_keys(block, column, begin);
    hash_short(block, FromKeys<Isa>{block}, target);
  }
}

template <typename Isa, typename Target>
void hash_short_keys(Block<Isa>& block, const ScatteredColumn& column, std::size_t begin, const Target& target) {
  hash_short(block, FromScattered<Isa>{column.keys.data() + begin, block}, target);
}

template <typename Isa, typename Column, typename Target>
void hash_keys(const Column& column, const Target& target) {
  each_block<Isa>(column, [&](Block<Isa>& block, std::size_t begin) {
    const Target here = target.from(begin);
    measure(block, column, begin);
    if (block.is_short()) {
      gather_last(block, column, begin);
      hash_short_keys(block, column, begin, here);
    } else if (Isa::kLanes == 4 && block.is_uniform()) {
      hash_each(block, column, begin, here);
    } else {
      hash_long(block, column, begin, here);
    }
  });
}

template <typename Isa, typename Target, typename Column>
void hash_column(const Column& column, const Target& target) {
  hash_keys<Isa>(column, target);
}

template <typename Isa, typename Target>
void hash_column(const Int64Column& column, const Target& target) {
  using V = typename Isa::V;
  each_block<Isa>(column, [&](Block<Isa>& block, std::size_t begin) {
    const Target here = target.from(begin);
    each_group<Isa>(block.size, [&](std::size_t index, auto count) __attribute__((always_inline)) {
      V word{};
      std::memcpy(&word, column.values.data() + begin + index, count * sizeof(std::uint64_t));
      block.put(here, index, count, avalanche(eat8(here.seeds(index, count) + (kPrime5 + 8), word)));
    });
  });
}

template <typename Isa, typename Target>
void hash_column(const DecimalColumn& column, const Target& target) {
  each_block<Isa>(column, [&](Block<Isa>& block, std::size_t begin) {
    hash_decimals(block, column.values.data() + begin, target.from(begin));
  });
}

/// The kernels on the lanes of `Isa`.
template <typename Isa>
class LaneLevel final : public Level {
 public:
  [[nodiscard]] const char* name() const noexcept override { return Isa::kName; }

  void fingerprint(const StringColumn<std::int32_t>& c, std::uint64_t s, Out o) const noexcept override { to(c, s, o); }
  void fingerprint(const StringColumn<std::int64_t>& c, std::uint64_t s, Out o) const noexcept override { to(c, s, o); }
  void fingerprint(const ViewColumn& c, std::uint64_t s, Out o) const noexcept override { to(c, s, o); }
  void fingerprint(const ScatteredColumn& c, std::uint64_t s, Out o) const noexcept override { to(c, s, o); }
  void fingerprint(const Int64Column& c, std::uint64_t s, Out o) const noexcept override { to(c, s, o); }
  void fingerprint(const DecimalColumn& c, std::uint64_t s, Out o) const noexcept override { to(c, s, o); }

  [[nodiscard]] bool are_ordered(std::span<const std::int32_t> o) const noexcept override {
    return are_offsets_ordered(o);
  }
  [[nodiscard]] bool are_ordered(std::span<const std::int64_t> o) const noexcept override {
    return are_offsets_ordered(o);
  }
  [[nodiscard]] bool are_inline(std::span<const View> views) const noexcept override { return are_views_inline(views); }

  void chain(const StringColumn<std::int32_t>& c, std::span<std::uint64_t> s) const noexcept override { through(c, s); }
  void chain(const StringColumn<std::int64_t>& c, std::span<std::uint64_t> s) const noexcept override { through(c, s); }
  void chain(const ViewColumn& c, std::span<std::uint64_t> s) const noexcept override { through(c, s); }
  void chain(const ScatteredColumn& c, std::span<std::uint64_t> s) const noexcept override { through(c, s); }
  void chain(const Int64Column& c, std::span<std::uint64_t> s) const noexcept override { through(c, s); }
  void chain(const DecimalColumn& c, std::span<std::uint64_t> s) const noexcept override { through(c, s); }

 private:
  template <typename Column>
  static void to(const Column& column, std::uint64_t seed, Out out) noexcept {
    hash_column<Isa>(column, Fingerprints<typename Isa::V>(seed, out.data()));
  }
  template <typename Column>
  static void through(const Column& column, std::span<std::uint64_t> states) noexcept {
    hash_column<Isa>(column, lanes::States<typename Isa::V>(states.data()));
  }
};

}  // namespace lanes
}  // namespace
}  // namespace polyrank
