#include "polyrank/fingerprint.hpp"

#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

template <typename Column>
void fingerprint_each(const Column& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  for (std::size_t i = 0; i < column.size(); ++i) {
    out[i] = column.is_present(i) ? to_fingerprint(xxh64(column.key(i), seed)) : kMissing;
  }
}

template <typename Column>
void chain_each(const Column& column, std::span<std::uint64_t> states) noexcept {
  for (std::size_t i = 0; i < column.size(); ++i) {
    if (column.is_present(i)) {
      states[i] = xxh64(column.key(i), states[i]);
    }
  }
}

}  // namespace

void fingerprint(const StringColumn<std::int32_t>& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  fingerprint_each(column, seed, out);
}

void fingerprint(const StringColumn<std::int64_t>& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  fingerprint_each(column, seed, out);
}

void fingerprint(const ViewColumn& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  fingerprint_each(column, seed, out);
}

void fingerprint(const ScatteredColumn& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  fingerprint_each(column, seed, out);
}

void fingerprint(const Int64Column& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  fingerprint_each(column, seed, out);
}

void fingerprint(const DecimalColumn& column, std::uint64_t seed, std::span<std::int64_t> out) noexcept {
  fingerprint_each(column, seed, out);
}

void chain(const StringColumn<std::int32_t>& column, std::span<std::uint64_t> states) noexcept {
  chain_each(column, states);
}

void chain(const StringColumn<std::int64_t>& column, std::span<std::uint64_t> states) noexcept {
  chain_each(column, states);
}

void chain(const ViewColumn& column, std::span<std::uint64_t> states) noexcept { chain_each(column, states); }

void chain(const ScatteredColumn& column, std::span<std::uint64_t> states) noexcept { chain_each(column, states); }

void chain(const Int64Column& column, std::span<std::uint64_t> states) noexcept { chain_each(column, states); }

void chain(const DecimalColumn& column, std::span<std::uint64_t> states) noexcept { chain_each(column, states); }

}  // namespace polyrank
