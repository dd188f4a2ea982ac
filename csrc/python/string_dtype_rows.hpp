#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "block_rows.hpp"
#include "numpy_rows.hpp"

namespace polyrank {

/// numpy 2's StringDType (kind T), null where it has an `na_object` that is missing.
class StringDTypeRows final : public BlockRows {
 public:
  explicit StringDTypeRows(pybind11::array values);

  [[nodiscard]] bool may_write(std::span<const std::int64_t> out) const override { return is_apart(values_, out); }

 private:
  std::shared_ptr<void> gather(std::size_t begin, std::size_t count, const PythonReading& how,
                               RowBlock& block) override;

  pybind11::array values_;
  pybind11::dtype dtype_;
};

}  // namespace polyrank
