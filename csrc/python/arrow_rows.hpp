#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "owned.hpp"
#include "polyrank/arrow_c_data.hpp"
#include "rows.hpp"

namespace polyrank {

/// Arrow arrays of one type, one after another.
class ArrowRows : public Rows {
 public:
  [[nodiscard]] static std::unique_ptr<ArrowRows> of_array(const pybind11::object& values);
  [[nodiscard]] static std::unique_ptr<ArrowRows> of_stream(const pybind11::object& values);

  explicit ArrowRows(Owned<ArrowSchema> schema) noexcept : schema_(std::move(schema)) {}

  /// Throws std::invalid_argument for a length that cannot be.
  void append(Owned<ArrowArray> array);

  [[nodiscard]] std::size_t size() const override { return size_; }
  [[nodiscard]] bool may_write(std::span<const std::int64_t> out) const override;
  void fingerprint(const PythonReading& how, std::span<std::int64_t> out) override;
  void chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) override;

 private:
  template <typename Hash>
  void for_each_chunk(const Reading& reading, const Hash& hash) const;

  Owned<ArrowSchema> schema_;
  std::vector<Owned<ArrowArray>> arrays_;
  std::size_t size_ = 0;
};

}  // namespace polyrank
