#include "block_rows.hpp"

#include <algorithm>
#include <memory>

namespace polyrank {

template <typename Hash>
void BlockRows::for_each_block(const PythonReading& how, const Hash& hash) {
  const pybind11::gil_scoped_release unlocked;
  const PreparedReading prepared(how.reading);
  RowBlock block(prepared);
  for (std::size_t at = 0; at < size_; at += rows_at_once_) {
    const std::size_t count = std::min(rows_at_once_, size_ - at);
    block.clear();
    const std::shared_ptr<void> kept = gather(at, count, how, block);
    hash(block, at, count);
  }
}

void BlockRows::fingerprint(const PythonReading& how, std::span<std::int64_t> out) {
  for_each_block(
      how, [&](RowBlock& block, std::size_t at, std::size_t count) { block.fingerprint(out.subspan(at, count)); });
}

void BlockRows::chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) {
  for_each_block(how, [&](RowBlock& block, std::size_t at, std::size_t count) {
    block.chain(states.subspan(at, count), is_missing.subspan(at, count));
  });
}

}  // namespace polyrank
