#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

// libFuzzer target: every kind of column, whatever its keys, offsets and nulls, hashes as its keys do one by one.
namespace polyrank {
namespace {

constexpr std::size_t kMaxKeys = 300;       // longer than what kernels do at once
constexpr std::size_t kMaxKeyBytes = 300;   // several stripes of 32
constexpr std::size_t kMaxBitOffset = 130;  // more than two words

// Copies of exactly the size asked for, on the heap, so that AddressSanitizer sees one byte too many.
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

// What the input says and, once it is used up, random numbers that follow from it: short inputs make full columns too.
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

using Keys = std::vector<std::vector<std::uint8_t>>;

template <typename Column>
void fail(const char* kernel, const Column& column, std::size_t index) {
  std::fprintf(stderr, "%s differs from XXH64 of its key: key %zu of %zu, %zu bytes\n", kernel, index, column.size(),
               column.key(index).size());
  std::abort();
}

template <typename Column>
void check_fingerprints(const Column& column, std::uint64_t seed) {
  const Exact<std::int64_t> out(std::vector<std::int64_t>(column.size(), 7));
  fingerprint(column, seed, out.span());
  for (std::size_t i = 0; i < column.size(); ++i) {
    const auto expected = column.is_present(i) ? to_fingerprint(xxh64(column.key(i), seed)) : kMissing;
    if (out.span()[i] != expected) {
      fail("fingerprint", column, i);
    }
  }
}

template <typename Column>
void check_chain(const Column& column, std::uint64_t seed) {
  std::vector<std::uint64_t> seeds(column.size());
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    seeds[i] = seed * (2 * i + 1);
  }
  const Exact<std::uint64_t> states(seeds);
  chain(column, states.span());
  for (std::size_t i = 0; i < column.size(); ++i) {
    const auto expected = column.is_present(i) ? xxh64(column.key(i), seeds[i]) : seeds[i];
    if (states.span()[i] != expected) {
      fail("chain", column, i);
    }
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
  check(StringColumn<Offset>{.offsets = exact_offsets.span(), .data = exact_data.span().data(), .validity = validity},
        seed);
}

View inline_view(std::span<const std::uint8_t> key) {
  View view{};
  view.length = static_cast<std::int32_t>(key.size());
  std::copy(key.begin(), key.end(), reinterpret_cast<std::uint8_t*>(&view) + offsetof(View, prefix));
  return view;
}

// Long keys in turn in one of two buffers.
void check_views(const Keys& keys, std::span<const std::uint8_t> gap, const Validity& validity, std::uint64_t seed) {
  std::vector<std::uint8_t> data[2]{{}, {gap.begin(), gap.end()}};
  std::vector<View> views;
  for (const auto& key : keys) {
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
  check_fingerprints(ScatteredColumn{pointers}, seed);
}

void check_integers(std::span<const std::int64_t> integers, const Validity& validity, std::uint64_t seed) {
  const Exact<std::int64_t> values(integers);
  check(Int64Column{.values = values.span(), .validity = validity}, seed);
  const Exact<std::int64_t> expected(integers);
  fingerprint(Int64Column{.values = integers, .validity = validity}, seed, expected.span());
  fingerprint(Int64Column{.values = values.span(), .validity = validity}, seed, values.span());
  if (!std::ranges::equal(values.span(), expected.span())) {
    fail("fingerprint in place", Int64Column{.values = integers, .validity = validity}, 0);
  }
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

void check_input(Draws& draws) {
  const std::uint64_t seed = draws.word();
  const std::size_t count = draws.in_range(0, kMaxKeys);
  const std::size_t bit_offset = draws.in_range(0, kMaxBitOffset);
  const Exact<std::uint8_t> bitmap(draws.bytes((bit_offset + count + 7) / 8));
  const bool has_nulls = draws.in_range(0, 1) == 1;
  const Validity validity{.bitmap = has_nulls ? bitmap.span().data() : nullptr, .bit_offset = bit_offset};
  const auto gap = draws.bytes(draws.in_range(0, 70));
  std::vector<std::int64_t> integers(count);
  for (auto& integer : integers) {
    integer = static_cast<std::int64_t>(draws.word());
  }
  check_integers(integers, validity, seed);
  const Keys keys = make_keys(draws, count);
  check_strings<std::int32_t>(keys, gap, validity, seed);
  check_strings<std::int64_t>(keys, gap, validity, seed);
  check_views(keys, gap, validity, seed);
  check_scattered(keys, validity, seed);
}

}  // namespace
}  // namespace polyrank

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  polyrank::Draws draws({data, size});
  polyrank::check_input(draws);
  return 0;
}
