#include "column_checks.hpp"
#include "level_instances.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

/// The kernels key by key, on any processor.
class ScalarLevel final : public Level {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "scalar"; }

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

  void chain(const StringColumn<std::int32_t>& c, States s) const noexcept override { through(c, s); }
  void chain(const StringColumn<std::int64_t>& c, States s) const noexcept override { through(c, s); }
  void chain(const ViewColumn& c, States s) const noexcept override { through(c, s); }
  void chain(const ScatteredColumn& c, States s) const noexcept override { through(c, s); }
  void chain(const Int64Column& c, States s) const noexcept override { through(c, s); }
  void chain(const DecimalColumn& c, States s) const noexcept override { through(c, s); }

 private:
  template <typename Column>
  static void to(const Column& column, std::uint64_t seed, Out out) noexcept {
    for (std::size_t i = 0; i < column.size(); ++i) {
      out[i] = column.is_present(i) ? to_fingerprint(xxh64(column.key(i), seed)) : kMissing;
    }
  }

  template <typename Column>
  static void through(const Column& column, States states) noexcept {
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (column.is_present(i)) {
        states[i] = xxh64(column.key(i), states[i]);
      }
    }
  }
};

}  // namespace

const Level& scalar_level() noexcept {
  static const ScalarLevel level;
  return level;
}

}  // namespace polyrank
