#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "draws.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

// libFuzzer target: on every level, every kind of column, whatever its keys, offsets and nulls, hashes as its keys do
// one by one, and wrong offsets and views are found.
namespace polyrank {
namespace {

constexpr std::size_t kMaxKeys = 500;       // more than twice what kernels do at once
constexpr std::size_t kMaxKeyBytes = 300;   // several stripes of 32
constexpr std::size_t kMaxBitOffset = 130;  // more than two words

using Keys = std::vector<std::vector<std::uint8_t>>;

void fail(const char* what, const Level& level, std::size_t index, std::size_t count) {
  std::fprintf(stderr, "%s is wrong on %s: key %zu of %zu\n", what, level.name(), index, count);
  std::abort();
}

template <typename T>
void expect_equal(const char* what, const Level& level, std::span<const T> found, std::span<const T> expected) {
  const auto [at, _] = std::ranges::mismatch(found, expected);
  if (at != found.end()) {
    fail(what, level, static_cast<std::size_t>(at - found.begin()), found.size());
  }
}

template <typename Column>
std::vector<std::int64_t> expected_fingerprints(const Column& column, std::uint64_t seed) {
  std::vector<std::int64_t> expected(column.size(), kMissing);
  for (std::size_t i = 0; i < column.size(); ++i) {
    if (column.is_present(i)) {
      expected[i] = to_fingerprint(xxh64(column.key(i), seed));
    }
  }
  return expected;
}

template <typename Column>
void check_fingerprints(const Column& column, std::uint64_t seed) {
  const auto expected = expected_fingerprints(column, seed);
  for (const Level* level : available_levels()) {
    const Exact<std::int64_t> out(std::vector<std::int64_t>(column.size(), 7));
    level->fingerprint(column, seed, out.span());
    expect_equal<std::int64_t>("fingerprint", *level, out.span(), expected);
  }
}

template <typename Column>
void check_chain(const Column& column, std::uint64_t seed) {
  std::vector<std::uint64_t> seeds(column.size());
  std::vector<std::uint64_t> expected(column.size());
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    seeds[i] = seed * (2 * i + 1);
    expected[i] = column.is_present(i) ? xxh64(column.key(i), seeds[i]) : seeds[i];
  }
  for (const Level* level : available_levels()) {
    const Exact<std::uint64_t> states(seeds);
    level->chain(column, states.span());
    expect_equal<std::uint64_t>("chain", *level, states.span(), expected);
  }
}

template <typename Column>
void check(const Column& column, std::uint64_t seed) {
  check_fingerprints(column, seed);
  check_chain(column, seed);
}

template <typename Offset>
void check_strings(const Keys& keys, std::span<const std::uint8_t> gap, const Validity& validity, std::uint64_t seed) {
  std::vector<std::uint8_t> data(gap.begin(), gap.end());
  std::vector<Offset> offsets{static_cast<Offset>(data.size())};
  for (const auto& key : keys) {
    data.insert(data.end(), key.begin(), key.end());
    offsets.push_back(static_cast<Offset>(data.size()));
  }
  const Exact<std::uint8_t> exact_data(data);
  const Exact<Offset> exact_offsets(offsets);
  const std::uint8_t* const first = data.empty() ? nullptr : exact_data.span().data();
  check(StringColumn<Offset>{.offsets = exact_offsets.span(), .data = first, .validity = validity}, seed);
}

View inline_view(std::span<const std::uint8_t> key) {
  View view{};
  view.length = static_cast<std::int32_t>(key.size());
  std::copy(key.begin(), key.end(), reinterpret_cast<std::uint8_t*>(&view) + offsetof(View, prefix));
  return view;
}

// Long keys in turn in one of two buffers; a missing key's view points anywhere.
void check_views(const Keys& keys, std::span<const std::uint8_t> gap, const Validity& validity, std::uint64_t seed) {
  std::vector<std::uint8_t> data[2]{{}, {gap.begin(), gap.end()}};
  std::vector<View> views;
  for (const auto& key : keys) {
    if (!validity[views.size()]) {
      views.push_back({.length = INT32_MIN >> (key.size() % 32), .prefix = {}, .buffer = INT32_MAX, .offset = -1});
      continue;
    }
    if (key.size() <= static_cast<std::size_t>(View::kInlineBytes)) {
      views.push_back(inline_view(key));
      continue;
    }
    const std::size_t turn = views.size() % 2;
    View view{};
    view.length = static_cast<std::int32_t>(key.size());
    std::copy_n(key.begin(), view.prefix.size(), view.prefix.begin());
    view.buffer = static_cast<std::int32_t>(turn);
    view.offset = static_cast<std::int32_t>(data[turn].size());
    data[turn].insert(data[turn].end(), key.begin(), key.end());
    views.push_back(view);
  }
  const Exact<std::uint8_t> first(data[0]);
  const Exact<std::uint8_t> second(data[1]);
  const std::uint8_t* const buffers[2]{first.span().data(), second.span().data()};
  const Exact<View> exact_views(views);
  check(ViewColumn{.views = exact_views.span(), .buffers = buffers, .validity = validity}, seed);
}

void check_scattered(const Keys& keys, const Validity& validity, std::uint64_t seed) {
  std::vector<Exact<std::uint8_t>> memory;
  std::vector<std::string_view> pointers;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto bytes = memory.emplace_back(std::span(keys[i])).span();
    pointers.push_back(validity[i] ? std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
                                   : std::string_view());
  }
  const bool may_miss = validity.bitmap != nullptr || keys.size() % 2 == 0;
  check(ScatteredColumn{.keys = pointers, .may_miss = may_miss}, seed);
}

template <typename Column>
void check_integers(std::span<const std::int64_t> integers, const Validity& validity, std::uint64_t seed) {
  const Exact<std::int64_t> values(integers);
  const Column column{.values = values.span(), .validity = validity};
  check(column, seed);
  const auto expected = expected_fingerprints(column, seed);
  for (const Level* level : available_levels()) {
    const Exact<std::int64_t> place(integers);
    level->fingerprint(Column{.values = place.span(), .validity = validity}, seed, place.span());
    expect_equal<std::int64_t>("fingerprint in place", *level, place.span(), expected);
  }
}

// Runs of like size, since kernels take short decimals together; many lie beside a power of ten.
std::vector<std::int64_t> make_integers(Draws& draws, std::size_t count) {
  std::vector<std::int64_t> integers;
  while (integers.size() < count) {
    const std::uint64_t limit = UINT64_MAX >> draws.in_range(0, 63);
    const bool may_be_negative = draws.in_range(0, 1) == 1;
    const std::size_t end = std::min(count, integers.size() + draws.in_range(1, kMaxKeys));
    while (integers.size() < end) {
      std::uint64_t power = 1;
      while (power <= limit / 10 && draws.in_range(0, 15) != 0) {
        power *= 10;
      }
      std::uint64_t value = draws.in_range(0, 3) == 0 ? power - draws.in_range(0, 1) : draws.in_range(0, limit);
      value = may_be_negative && draws.in_range(0, 1) == 1 ? 0 - value : value;
      integers.push_back(static_cast<std::int64_t>(value));
    }
  }
  return integers;
}

// Lengths come in runs, since kernels take keys of like lengths together.
Keys make_keys(Draws& draws, std::size_t count) {
  Keys keys;
  while (keys.size() < count) {
    const std::size_t low = draws.in_range(0, draws.in_range(0, 2) == 0 ? kMaxKeyBytes : 32);
    const std::size_t high = draws.in_range(low, std::min(low + 40, kMaxKeyBytes));
    const std::size_t end = std::min(count, keys.size() + draws.in_range(1, 70));
    while (keys.size() < end) {
      keys.push_back(draws.bytes(draws.in_range(low, high)));
    }
  }
  return keys;
}

// Steps that are mostly small and seldom negative, so that one wrong offset is all there is to see.
template <typename Offset>
void check_order(Draws& draws, std::size_t count) {
  std::vector<Offset> offsets(count + 1);
  std::uint64_t last = draws.in_range(0, 70);
  for (Offset& offset : offsets) {
    last += draws.in_range(0, 400) == 0 ? draws.word() : draws.in_range(0, 40);
    offset = static_cast<Offset>(last);
  }
  const bool expected = offsets.front() >= 0 && std::ranges::is_sorted(offsets);
  const Exact<Offset> exact(offsets);
  for (const Level* level : available_levels()) {
    if (level->are_ordered(exact.span()) != expected) {
      fail("order of offsets", *level, 0, offsets.size());
    }
  }
}

void check_lengths(Draws& draws, std::size_t count) {
  const auto is_inline = [](const View& view) { return 0 <= view.length && view.length <= View::kInlineBytes; };
  std::vector<View> views(count);
  for (View& view : views) {
    view.length = static_cast<std::int32_t>(draws.in_range(0, 400) == 0 ? draws.word() : draws.in_range(0, 12));
  }
  const bool expected = std::ranges::all_of(views, is_inline);
  const Exact<View> exact(views);
  for (const Level* level : available_levels()) {
    if (level->are_inline(exact.span()) != expected) {
      fail("length of views", *level, 0, count);
    }
  }
}

void check_input(Draws& draws) {
  const std::uint64_t seed = draws.word();
  const std::size_t count = draws.in_range(0, kMaxKeys);
  const std::size_t bit_offset = draws.in_range(0, kMaxBitOffset);
  const Exact<std::uint8_t> bitmap(draws.bytes((bit_offset + count + 7) / 8));
  const bool has_nulls = draws.in_range(0, 1) == 1;
  const Validity validity{.bitmap = has_nulls ? bitmap.span().data() : nullptr, .bit_offset = bit_offset};
  const auto gap = draws.bytes(draws.in_range(0, 70));
  const auto integers = make_integers(draws, count);
  check_integers<Int64Column>(integers, validity, seed);
  check_integers<DecimalColumn>(integers, validity, seed);
  const Keys keys = make_keys(draws, count);
  check_strings<std::int32_t>(keys, gap, validity, seed);
  check_strings<std::int64_t>(keys, gap, validity, seed);
  check_views(keys, gap, validity, seed);
  check_scattered(keys, validity, seed);
  check_order<std::int32_t>(draws, count);
  check_order<std::int64_t>(draws, count);
  check_lengths(draws, count);
}

}  // namespace
}  // namespace polyrank

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  polyrank::Draws draws({data, size});
  polyrank::check_input(draws);
  return 0;
}
