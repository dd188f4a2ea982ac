#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "polyrank/source.hpp"

namespace polyrank {

/// The tokens of one reading that count as missing, made ready to be looked for. Bit filters keep the common case, a
/// value that is no token, to one instruction however many tokens there are.
class MissingTokens {
 public:
  MissingTokens() = default;
  explicit MissingTokens(const Reading& reading);

  [[nodiscard]] bool has_texts() const noexcept { return !texts_.empty(); }
  [[nodiscard]] bool has_integers() const noexcept { return !integers_.empty(); }

  /// Whether `text` is a token, byte for byte.
  [[nodiscard]] bool contains(std::string_view text) const noexcept {
    return is_in(length_filter_, text.size()) && std::binary_search(texts_.begin(), texts_.end(), text);
  }

  /// Whether a token stands for `value`: under int64 however it is written, under text in canonical digits only.
  [[nodiscard]] bool contains(std::int64_t value) const noexcept {
    return is_in(integer_filter_, static_cast<std::uint64_t>(value)) &&
           std::binary_search(integers_.begin(), integers_.end(), value);
  }

  /// Whether a value with this fingerprint under the reading's seed may be a token; false positives are rare.
  [[nodiscard]] bool may_contain(std::int64_t fingerprint) const noexcept {
    return is_in(fingerprint_filter_, static_cast<std::uint64_t>(fingerprint)) &&
           std::binary_search(fingerprints_.begin(), fingerprints_.end(), fingerprint);
  }

 private:
  static constexpr std::uint64_t bit(std::uint64_t value) noexcept { return std::uint64_t{1} << (value % 64); }
  static constexpr bool is_in(std::uint64_t filter, std::uint64_t value) noexcept { return (filter & bit(value)) != 0; }

  std::vector<std::string> texts_;          // sorted, as the next two
  std::vector<std::int64_t> integers_;      // what the tokens mean as integers
  std::vector<std::int64_t> fingerprints_;  // of the texts, under dtype text
  std::uint64_t length_filter_ = 0;
  std::uint64_t integer_filter_ = 0;
  std::uint64_t fingerprint_filter_ = 0;
};

/// A reading with its tokens made ready, shared by the sources that read under it.
struct PreparedReading {
  explicit PreparedReading(const Reading& reading) : dtype(reading.dtype), seed(reading.seed), tokens(reading) {}

  Dtype dtype;
  std::uint64_t seed;
  MissingTokens tokens;
};

}  // namespace polyrank
