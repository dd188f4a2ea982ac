#pragma once

#include <cstdint>
#include <span>

#include "polyrank/columns.hpp"

/// The kernels once for each set of vector instructions. All levels give the same answers.
namespace polyrank {

/// One set of kernels; `fingerprint` and `chain` are those of fingerprint.hpp.
class Level {
 public:
  using Out = std::span<std::int64_t>;
  using States = std::span<std::uint64_t>;

  virtual ~Level();  // in levels.cpp, and with it the type's tables, which else every level would compile for itself

  [[nodiscard]] virtual const char* name() const noexcept = 0;  ///< as POLYRANK_ISA spells it

  virtual void fingerprint(const StringColumn<std::int32_t>& column, std::uint64_t seed, Out out) const noexcept = 0;
  virtual void fingerprint(const StringColumn<std::int64_t>& column, std::uint64_t seed, Out out) const noexcept = 0;
  virtual void fingerprint(const ViewColumn& column, std::uint64_t seed, Out out) const noexcept = 0;
  virtual void fingerprint(const ScatteredColumn& column, std::uint64_t seed, Out out) const noexcept = 0;
  virtual void fingerprint(const Int64Column& column, std::uint64_t seed, Out out) const noexcept = 0;
  virtual void fingerprint(const DecimalColumn& column, std::uint64_t seed, Out out) const noexcept = 0;

  virtual void chain(const StringColumn<std::int32_t>& column, States states) const noexcept = 0;
  virtual void chain(const StringColumn<std::int64_t>& column, States states) const noexcept = 0;
  virtual void chain(const ViewColumn& column, States states) const noexcept = 0;
  virtual void chain(const ScatteredColumn& column, States states) const noexcept = 0;
  virtual void chain(const Int64Column& column, States states) const noexcept = 0;
  virtual void chain(const DecimalColumn& column, States states) const noexcept = 0;

  /// Says whether offsets (at least one) start at 0 or above and never decrease.
  [[nodiscard]] virtual bool are_ordered(std::span<const std::int32_t> offsets) const noexcept = 0;
  [[nodiscard]] virtual bool are_ordered(std::span<const std::int64_t> offsets) const noexcept = 0;

  /// Says whether all views, those of missing keys too, have a length that lies inside.
  [[nodiscard]] virtual bool are_inline(std::span<const View> views) const noexcept = 0;
};

/// The levels that this processor can run, slowest first; "scalar" is always there.
[[nodiscard]] std::span<const Level* const> available_levels() noexcept;

/// The fastest of them, or the one that the environment variable POLYRANK_ISA names; chosen on the first call. Throws
/// std::invalid_argument (on that call and later ones) for a name that is not available here.
[[nodiscard]] const Level& active_level();

}  // namespace polyrank
