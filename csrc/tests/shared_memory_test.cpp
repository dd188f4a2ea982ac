#include "polyrank/shared_memory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace polyrank {
namespace {

// 64 rows of 8 bytes each, of which an array borrows rows [8, 24) and more.
class SharedMemory : public testing::Test {
 protected:
  std::array<std::int64_t, 64> words_{};
  std::vector<const void*> buffers_;
  ArrowSchema schema_{};
  ArrowArray array_{};

  void open(const char* format, std::int64_t length, std::vector<const void*> buffers) {
    buffers_ = std::move(buffers);
    schema_.format = format;
    array_.length = length;
    array_.n_buffers = static_cast<std::int64_t>(buffers_.size());
    array_.buffers = buffers_.data();
  }
  [[nodiscard]] bool meets(std::size_t begin, std::size_t count, const void* own = nullptr) const {
    return shares_memory(schema_, array_, std::as_bytes(std::span(words_).subspan(begin, count)), own);
  }
};

TEST_F(SharedMemory, NumbersEndWithTheirLastRow) {
  open("l", 16, {nullptr, &words_[8]});
  EXPECT_FALSE(meets(0, 8));
  EXPECT_TRUE(meets(0, 9));
  EXPECT_TRUE(meets(23, 1));
  EXPECT_FALSE(meets(24, 40));
  EXPECT_FALSE(meets(8, 0));
}

TEST_F(SharedMemory, OffsetMovesTheRows) {
  open("i", 4, {nullptr, words_.data()});
  array_.offset = 4;
  EXPECT_FALSE(meets(0, 2));
  EXPECT_TRUE(meets(2, 1));
  EXPECT_FALSE(meets(4, 1));
}

TEST_F(SharedMemory, NumbersInPlaceDoNotCountButTheirBitmapDoes) {
  open("g", 16, {&words_[2], &words_[8]});
  EXPECT_FALSE(meets(8, 16, &words_[8]));
  EXPECT_TRUE(meets(8, 16, &words_[9]));
  EXPECT_TRUE(meets(2, 22, &words_[8]));
  schema_.format = "i";
  EXPECT_TRUE(meets(8, 16, &words_[8]));
}

TEST_F(SharedMemory, TextReachesToItsLastOffset) {
  const std::array<std::int32_t, 4> offsets{0, 3, 9, 17};
  open("u", 3, {nullptr, offsets.data(), &words_[8]});
  EXPECT_TRUE(meets(10, 1));
  EXPECT_FALSE(meets(11, 1));
}

TEST_F(SharedMemory, BytesOfNoWidthTakeNoMemory) {
  open("w:0", 2, {nullptr, &words_[8]});
  EXPECT_FALSE(meets(8, 1));
}

TEST_F(SharedMemory, BufferThatItsFormatHasNotMayReachAnywhere) {
  open("c", 16, {nullptr, &words_[0], &words_[8]});
  EXPECT_TRUE(meets(63, 1));
  open("vx", 1, {nullptr, &words_[0], &words_[8]});
  EXPECT_TRUE(meets(63, 1));
}

TEST_F(SharedMemory, ViewsBringTheirBuffersAndTheSizesOfThese) {
  const std::array<std::int64_t, 2> sizes{8, 16};
  open("vu", 2, {nullptr, &words_[0], &words_[8], &words_[16], sizes.data()});
  EXPECT_TRUE(meets(3, 1));
  EXPECT_FALSE(meets(4, 4));
  EXPECT_TRUE(meets(8, 1));
  EXPECT_TRUE(meets(17, 1));
  EXPECT_FALSE(meets(18, 1));
}

TEST_F(SharedMemory, DictionaryAndChildrenCount) {
  ArrowSchema inner_schema{};
  ArrowArray inner{};
  inner_schema.format = "l";
  std::array<const void*, 2> buffers{nullptr, &words_[8]};
  inner.length = 4;
  inner.n_buffers = 2;
  inner.buffers = buffers.data();
  open("c", 4, {nullptr, words_.data()});
  schema_.dictionary = &inner_schema;
  array_.dictionary = &inner;
  EXPECT_TRUE(meets(11, 1));
  schema_.dictionary = nullptr;
  std::array<ArrowSchema*, 1> schemas{&inner_schema};
  std::array<ArrowArray*, 1> arrays{&inner};
  open("+l", 2, {nullptr, words_.data()});
  schema_.children = schemas.data();
  array_.children = arrays.data();
  schema_.n_children = array_.n_children = 1;
  EXPECT_TRUE(meets(11, 1));
  EXPECT_TRUE(meets(1, 1));
  EXPECT_FALSE(meets(2, 6));
}

TEST_F(SharedMemory, WhatIsNeverReadOrContradictsItselfDoesNotCount) {
  open("l", 0, {nullptr, &words_[8]});
  EXPECT_FALSE(meets(8, 1));
  open("l", std::numeric_limits<std::int64_t>::max(), {nullptr, &words_[8]});
  array_.offset = 1;
  EXPECT_FALSE(meets(8, 1));
  array_.offset = 0;
  open(nullptr, 1, {nullptr, &words_[8]});
  EXPECT_FALSE(meets(8, 1));
  open("w:x", 1, {nullptr, &words_[8]});
  EXPECT_THROW((void)meets(8, 1), std::invalid_argument);
}

TEST_F(SharedMemory, MoreBytesThanAreCountedShareAll) {
  open("l", std::numeric_limits<std::int64_t>::max() / 2, {nullptr, words_.data()});
  EXPECT_TRUE(meets(63, 1));
}

}  // namespace
}  // namespace polyrank
