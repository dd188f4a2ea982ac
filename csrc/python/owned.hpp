#pragma once

namespace polyrank {

/// An Arrow struct that is released with this object. Moving out of a capsule, as the interface allows, keeps the data
/// alive while the GIL is released, whatever becomes of the capsule.
template <typename Struct>
struct Owned {
  Struct content{};

  Owned() = default;
  explicit Owned(Struct& source) noexcept : content(source) { source.release = nullptr; }
  Owned(Owned&& other) noexcept : content(other.content) { other.content.release = nullptr; }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (content.release != nullptr) {
      content.release(&content);
    }
  }
};

}  // namespace polyrank
