#include "polyrank/missing_tokens.hpp"

#include "polyrank/decimal.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {

MissingTokens::MissingTokens(const Reading& reading) : texts_(reading.missing) {
  std::sort(texts_.begin(), texts_.end());
  for (const std::string& text : texts_) {
    length_filter_ |= bit(text.size());
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    fingerprints_.push_back(to_fingerprint(xxh64(bytes, reading.seed)));
    fingerprint_filter_ |= bit(static_cast<std::uint64_t>(fingerprints_.back()));
    const ParsedDecimal parsed = parse_decimal(text);
    const bool is_canonical = parsed.status == DecimalStatus::kInteger && text == std::to_string(parsed.value);
    if (is_canonical || (reading.dtype == Dtype::kInt64 && parsed.status == DecimalStatus::kInteger)) {
      integers_.push_back(parsed.value);
      integer_filter_ |= bit(static_cast<std::uint64_t>(parsed.value));
    }
  }
  std::sort(integers_.begin(), integers_.end());
  std::sort(fingerprints_.begin(), fingerprints_.end());
}

}  // namespace polyrank
