#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "polyrank/row_block.hpp"
#include "rows.hpp"

namespace polyrank {

/// Rows whose keys are written or gathered a block at a time, without the GIL.
class BlockRows : public Rows {
 public:
  explicit BlockRows(std::size_t size, std::size_t rows_at_once = kBlockRows) noexcept
      : size_(size), rows_at_once_(rows_at_once) {}

  [[nodiscard]] std::size_t size() const override { return size_; }
  void fingerprint(const PythonReading& how, std::span<std::int64_t> out) final;
  void chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) final;

 protected:
  /// Adds rows [begin, begin + count) to an empty block. What they borrow must last until the next call, or as long as
  /// what is returned, which is kept until they are hashed.
  [[nodiscard]] virtual std::shared_ptr<void> gather(std::size_t begin, std::size_t count, const PythonReading& how,
                                                     RowBlock& block) = 0;

 private:
  template <typename Hash>
  void for_each_block(const PythonReading& how, const Hash& hash);

  std::size_t size_;
  std::size_t rows_at_once_;
};

}  // namespace polyrank
