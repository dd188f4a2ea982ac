#include "canonical_integer.hpp"

#include <cmath>

#include "polyrank/decimal.hpp"

namespace polyrank {

std::optional<std::int64_t> integer_of(std::string_view text, const MissingTokens& tokens, std::size_t row) {
  if (tokens.has_texts() && tokens.contains(text)) {
    return std::nullopt;
  }
  const ParsedDecimal parsed = parse_decimal(text);
  if (parsed.status != DecimalStatus::kInteger) {
    throw Refusal(parsed.status == DecimalStatus::kNotDecimal ? Reason::kNotDecimal : Reason::kOutOfRange, row);
  }
  return parsed.value;
}

std::optional<std::int64_t> integer_of(double value, std::size_t row) {
  if (std::isnan(value)) {
    return std::nullopt;
  }
  if (std::isinf(value)) {
    throw Refusal(Reason::kInfinite, row);
  }
  if (std::trunc(value) != value) {
    throw Refusal(Reason::kNotWhole, row);
  }
  if (std::abs(value) > kMaxExactFloat) {
    throw Refusal(Reason::kTooLarge, row);
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace polyrank
