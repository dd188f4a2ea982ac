#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Text cut into tokens, and the crosses of neighbouring ones (docs/fingerprint.md, "Text and n-grams").
namespace polyrank {

/// Cuts one text after another into tokens; keeps its memory between texts.
class Tokenizer {
 public:
  using Token = std::span<const std::uint8_t>;

  /// Cuts `text`, keeping the first `max_tokens` tokens. Returns false where the text is not UTF-8.
  [[nodiscard]] bool cut(std::span<const std::uint8_t> text, std::size_t max_tokens);

  /// Valid until the next cut.
  [[nodiscard]] std::span<const Token> tokens() const noexcept { return tokens_; }

 private:
  std::vector<std::uint8_t> folded_;
  std::vector<Token> tokens_;
};

/// Fingerprints of the n-grams of one text after another.
class NGrams {
 public:
  /// `sizes` are 1 or more each, and outlive this object.
  NGrams(std::span<const std::size_t> sizes, std::uint64_t seed) noexcept;

  /// Writes the n-grams of `text` into `out`: by size as listed, then by place, cut to fit, padded with -1.
  /// Returns false where the text is not UTF-8.
  [[nodiscard]] bool write(std::span<const std::uint8_t> text, std::span<std::int64_t> out);

 private:
  std::size_t write_size(std::size_t size, std::span<std::int64_t> out);

  std::span<const std::size_t> sizes_;
  std::uint64_t seed_;
  std::size_t longest_;
  Tokenizer tokenizer_;
  std::vector<std::uint64_t> states_;  // of the n-grams that begin at each token
};

}  // namespace polyrank
