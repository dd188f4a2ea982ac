#include "polyrank/ngrams.hpp"

#include <algorithm>
#include <array>

#include "code_point.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

enum class Kind : std::uint8_t { kSeparator, kAlone, kPartOfRun };

// ASCII as it enters a token, A-Z folded; 0 for a separator. U+0000 itself is part of a run, and told apart by its
// byte.
constexpr std::array<std::uint8_t, 128> kFolded = [] {
  std::array<std::uint8_t, 128> folded{};
  for (std::size_t code = 0; code < folded.size(); ++code) {
    const bool is_space = code == 0x20 || (code >= 0x09 && code <= 0x0D);
    const bool is_upper = code >= 'A' && code <= 'Z';
    const bool is_alphanumeric = is_upper || (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9');
    const bool is_punctuation = code > 0x20 && code < 0x7F && !is_alphanumeric;
    folded[code] = is_space || is_punctuation ? 0 : static_cast<std::uint8_t>(is_upper ? code + 0x20 : code);
  }
  return folded;
}();

struct Block {
  std::uint32_t first;
  std::uint32_t last;
};

constexpr std::array<Block, 7> kSpaces{{{0x85, 0x85},
                                        {0xA0, 0xA0},
                                        {0x1680, 0x1680},
                                        {0x2000, 0x200A},
                                        {0x2028, 0x2029},
                                        {0x202F, 0x202F},
                                        {0x205F, 0x205F}}};
constexpr std::uint32_t kIdeographicSpace = 0x3000;
constexpr std::array<Block, 6> kAlone{
    {{0x3040, 0x30FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xAC00, 0xD7AF}, {0xF900, 0xFAFF}, {0x20000, 0x2FA1F}}};

template <std::size_t N>
bool contains(const std::array<Block, N>& blocks, std::uint32_t code) noexcept {
  return std::any_of(blocks.begin(), blocks.end(),
                     [code](const Block& block) { return block.first <= code && code <= block.last; });
}

Kind kind_of(std::uint32_t code) noexcept {
  if (code <= 0x205F) {
    return contains(kSpaces, code) ? Kind::kSeparator : Kind::kPartOfRun;
  }
  if (code == kIdeographicSpace) {
    return Kind::kSeparator;
  }
  return contains(kAlone, code) ? Kind::kAlone : Kind::kPartOfRun;
}

}  // namespace

bool Tokenizer::cut(std::span<const std::uint8_t> text, std::size_t max_tokens) {
  folded_.resize(text.size());
  tokens_.clear();
  std::uint8_t* run = folded_.data();
  std::uint8_t* end = run;
  const auto close = [&] {
    if (end != run && tokens_.size() < max_tokens) {
      tokens_.emplace_back(run, end);
    }
    run = end;
  };
  while (!text.empty()) {
    if (text[0] < 0x80) {
      const std::uint8_t folded = kFolded[text[0]];
      if (folded != 0 || text[0] == 0) {
        *end++ = folded;
      } else {
        close();
      }
      text = text.subspan(1);
      continue;
    }
    const CodePoint code = front_code_point(text);
    if (code.num_bytes == 0) {
      return false;
    }
    const Kind kind = kind_of(code.value);
    if (kind != Kind::kPartOfRun) {
      close();
    }
    if (kind != Kind::kSeparator) {
      end = std::copy_n(text.data(), code.num_bytes, end);
    }
    if (kind == Kind::kAlone) {
      close();
    }
    text = text.subspan(code.num_bytes);
  }
  close();
  return true;
}

NGrams::NGrams(std::span<const std::size_t> sizes, std::uint64_t seed) noexcept
    : sizes_(sizes), seed_(seed), longest_(sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end())) {}

bool NGrams::write(std::span<const std::uint8_t> text, std::span<std::int64_t> out) {
  // No token beyond these is part of an n-gram that fits.
  const std::size_t max_tokens = std::min(text.size(), out.size() + std::min(longest_, text.size()));
  if (!tokenizer_.cut(text, max_tokens)) {
    return false;
  }
  for (const std::size_t size : sizes_) {
    out = out.subspan(write_size(size, out));
  }
  std::fill(out.begin(), out.end(), kMissing);
  return true;
}

std::size_t NGrams::write_size(std::size_t size, std::span<std::int64_t> out) {
  const auto tokens = tokenizer_.tokens();
  if (tokens.size() < size) {
    return 0;
  }
  const std::size_t count = std::min(tokens.size() - size + 1, out.size());
  states_.assign(count, seed_);
  for (std::size_t part = 0; part < size; ++part) {
    for (std::size_t at = 0; at < count; ++at) {
      states_[at] = xxh64(tokens[at + part], states_[at]);
    }
  }
  std::transform(states_.begin(), states_.end(), out.begin(), to_fingerprint);
  return count;
}

}  // namespace polyrank
