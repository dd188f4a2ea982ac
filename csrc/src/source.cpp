#include "polyrank/source.hpp"

#include <algorithm>

#include "arrow_buffers.hpp"
#include "dictionary_source.hpp"
#include "integer_source.hpp"
#include "plain_source.hpp"
#include "text_source.hpp"

namespace polyrank {
namespace {

class MissingSource final : public PlainSource {
 public:
  explicit MissingSource(std::size_t size) noexcept : size_(size) {}

  [[nodiscard]] std::size_t size() const noexcept override { return size_; }

  void fingerprint(std::size_t /*begin*/, std::span<std::int64_t> out) const override {
    std::fill(out.begin(), out.end(), kMissing);
  }
  void chain(std::size_t /*begin*/, std::span<std::uint64_t> /*states*/,
             std::span<std::uint8_t> is_missing) const override {
    std::fill(is_missing.begin(), is_missing.end(), std::uint8_t{1});
  }
  void chain_at(std::span<const std::size_t> rows, const ChainTarget& target) const override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      target.put_missing(i);
    }
  }

 private:
  std::size_t size_;
};

std::unique_ptr<PlainSource> open_plain(const ArrowBuffers& buffers, const SharedReading& how) {
  if (buffers.size() == 0 || buffers.format() == "n" || buffers.is_null_throughout()) {
    return std::make_unique<MissingSource>(buffers.size());
  }
  if (buffers.is_extension()) {
    throw UnknownLayout();
  }
  auto source = open_integers(buffers, how);
  if (source == nullptr) {
    source = how->dtype == Dtype::kText ? open_text(buffers, how) : nullptr;
  }
  if (source == nullptr) {
    throw UnknownLayout();
  }
  return source;
}

}  // namespace

std::unique_ptr<Source> open_source(const ArrowSchema& schema, const ArrowArray& array, const Reading& reading) {
  const ArrowBuffers buffers(schema, array);
  const auto how = std::make_shared<const PreparedReading>(reading);
  if (schema.dictionary == nullptr && array.dictionary == nullptr) {
    return open_plain(buffers, how);
  }
  if (schema.dictionary == nullptr || array.dictionary == nullptr) {
    refuse_array("either both schema and array have a dictionary or neither");
  }
  const ArrowBuffers values(*schema.dictionary, *array.dictionary);
  if (buffers.size() == 0 || buffers.is_null_throughout()) {
    return std::make_unique<MissingSource>(buffers.size());
  }
  if (schema.dictionary->dictionary != nullptr || buffers.is_extension()) {
    throw UnknownLayout();
  }
  return open_dictionary(buffers, values, how, &open_plain);
}

}  // namespace polyrank
