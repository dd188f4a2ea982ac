#include "dict_rows.hpp"

#include <algorithm>
#include <limits>

#include "key_reader.hpp"
#include "number_buffer.hpp"
#include "polyrank/fingerprint.hpp"
#include "polyrank/ngrams.hpp"
#include "polyrank/xxhash64.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

bool fingerprint_of(KeyReader& reader, PyObject* value, std::int64_t& out) {
  const KeyStatus status = reader.read(value);
  out = status == KeyStatus::kPresent ? to_fingerprint(xxh64(reader.key(), reader.seed())) : kMissing;
  return status != KeyStatus::kUnusual;
}

class DictCategorical final : public DictGroup {
 public:
  DictCategorical(const CategoricalGroup& group, const PlacedGroup& placed)
      : reader_(group.field.reading), placed_(placed) {}

  bool encode(const DictRow& row) override {
    return fingerprint_of(reader_, row.values[placed_.columns[0]].ptr(), row.ids[placed_.slot]);
  }

 private:
  KeyReader reader_;
  const PlacedGroup& placed_;
};

// The items of a list or tuple; none for None and NaN. False for another value.
bool items_of(PyObject* value, std::span<PyObject*>& items) {
  if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
    items = {PySequence_Fast_ITEMS(value), static_cast<std::size_t>(PySequence_Fast_GET_SIZE(value))};
    return true;
  }
  items = {};
  return value == Py_None || (PyFloat_Check(value) && PyFloat_AS_DOUBLE(value) != PyFloat_AS_DOUBLE(value));
}

class DictBag final : public DictGroup {
 public:
  DictBag(const BagGroup& group, const PlacedGroup& placed)
      : reader_(group.field.reading), placed_(placed), is_weighted_(!group.weights.empty()) {}

  bool encode(const DictRow& row) override {
    std::span<PyObject*> items;
    if (!items_of(row.values[placed_.columns[0]].ptr(), items)) {
      return false;
    }
    const std::span slots(row.ids + placed_.slot, placed_.num_slots);
    std::int64_t dropped = 0;  // a wrong value behind the last slot is wrong all the same
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!fingerprint_of(reader_, items[i], i < slots.size() ? slots[i] : dropped)) {
        return false;
      }
    }
    std::fill(slots.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), slots.size())), slots.end(), kMissing);
    return !is_weighted_ || encode_weights(row, items.size());
  }

 private:
  bool encode_weights(const DictRow& row, std::size_t num_items) const {
    std::span<PyObject*> items;
    if (!items_of(row.values[placed_.columns[1]].ptr(), items) || items.size() != num_items) {
      return false;
    }
    const std::span slots(row.weights + placed_.weight, placed_.num_slots);
    std::fill(slots.begin(), slots.end(), 0.0F);
    for (std::size_t i = 0; i < items.size(); ++i) {
      float weight = 0.0F;
      if (!number_of(items[i], weight)) {
        return false;
      }
      if (i < slots.size()) {
        slots[i] = weight == weight ? weight : 0.0F;
      }
    }
    return true;
  }

  KeyReader reader_;
  const PlacedGroup& placed_;
  bool is_weighted_;
};

class DictCross final : public DictGroup {
 public:
  DictCross(const CrossGroup& group, const PlacedGroup& placed) : placed_(placed) {
    for (const Field& part : group.parts) {
      readers_.emplace_back(part.reading);
    }
  }

  bool encode(const DictRow& row) override {
    std::uint64_t state = readers_.front().seed();
    bool is_missing = false;
    for (std::size_t part = 0; part < readers_.size(); ++part) {
      const KeyStatus status = readers_[part].read(row.values[placed_.columns[part]].ptr());
      if (status == KeyStatus::kUnusual) {
        return false;
      }
      is_missing |= status == KeyStatus::kAbsent;
      state = status == KeyStatus::kPresent ? xxh64(readers_[part].key(), state) : state;
    }
    row.ids[placed_.slot] = is_missing ? kMissing : to_fingerprint(state);
    return true;
  }

 private:
  std::vector<KeyReader> readers_;
  const PlacedGroup& placed_;
};

class DictNGrams final : public DictGroup {
 public:
  DictNGrams(const NGramGroup& group, const PlacedGroup& placed)
      : reader_(group.field.reading), ngrams_(group.sizes, group.field.reading.seed), placed_(placed) {}

  bool encode(const DictRow& row) override {
    const std::span slots(row.ids + placed_.slot, placed_.num_slots);
    const KeyStatus status = reader_.read(row.values[placed_.columns[0]].ptr());
    if (status == KeyStatus::kPresent) {
      return ngrams_.write(reader_.key(), slots);
    }
    std::fill(slots.begin(), slots.end(), kMissing);
    return status == KeyStatus::kAbsent;
  }

 private:
  KeyReader reader_;
  NGrams ngrams_;
  const PlacedGroup& placed_;
};

class DictNumber final : public DictGroup {
 public:
  DictNumber(const NumberGroup& group, const PlacedGroup& placed)
      : placed_(placed), is_non_negative_(group.is_non_negative) {}

  bool encode(const DictRow& row) override {
    float& number = row.dense[placed_.slot];
    return number_of(row.values[placed_.columns[0]].ptr(), number) && !(is_non_negative_ && number < 0.0F);
  }

 private:
  const PlacedGroup& placed_;
  bool is_non_negative_;
};

class DictVector final : public DictGroup {
 public:
  DictVector(const VectorGroup&, const PlacedGroup& placed) : placed_(placed) {}

  bool encode(const DictRow& row) override {
    PyObject* value = row.values[placed_.columns[0]].ptr();
    const std::span out(row.dense + placed_.slot, placed_.num_dense);
    std::span<PyObject*> items;
    if (!items_of(value, items)) {
      return NumberBuffer(value).read(out);
    }
    if (!PyList_CheckExact(value) && !PyTuple_CheckExact(value)) {
      std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
      return true;
    }
    bool is_whole = items.size() == out.size();
    for (std::size_t i = 0; is_whole && i < out.size(); ++i) {
      is_whole = number_of(items[i], out[i]) && out[i] == out[i];
    }
    return is_whole;
  }

 private:
  const PlacedGroup& placed_;
};

struct MakeGroup {
  const PlacedGroup& placed;

  template <typename Group, typename Described>
  std::unique_ptr<DictGroup> make(const Described& group) const {
    return std::make_unique<Group>(group, placed);
  }
  std::unique_ptr<DictGroup> operator()(const CategoricalGroup& group) const { return make<DictCategorical>(group); }
  std::unique_ptr<DictGroup> operator()(const BagGroup& group) const { return make<DictBag>(group); }
  std::unique_ptr<DictGroup> operator()(const CrossGroup& group) const { return make<DictCross>(group); }
  std::unique_ptr<DictGroup> operator()(const NGramGroup& group) const { return make<DictNGrams>(group); }
  std::unique_ptr<DictGroup> operator()(const NumberGroup& group) const { return make<DictNumber>(group); }
  std::unique_ptr<DictGroup> operator()(const VectorGroup& group) const { return make<DictVector>(group); }
};

}  // namespace

DictEncoder::DictEncoder(const Plan& plan)
    : plan_(plan), is_known_(plan.columns().size()), values_(plan.columns().size()) {
  for (const std::string& name : plan.columns()) {
    PyObject* text = py::str(name).release().ptr();
    PyUnicode_InternInPlace(&text);
    names_.push_back(py::reinterpret_steal<py::object>(text));
  }
  for (const PlacedGroup& placed : plan.groups()) {
    groups_.push_back(std::visit(MakeGroup{placed}, placed.group));
  }
}

bool DictEncoder::encode(const py::object& rows, std::size_t num_rows, const Matrices& out) {
  if (is_busy_) {  // the comparison of a key that is no plain text may let another thread in
    return false;
  }
  is_busy_ = true;
  try {
    const bool is_done = encode_rows(rows.ptr(), static_cast<Py_ssize_t>(num_rows), out);
    is_busy_ = false;
    return is_done;
  } catch (...) {
    is_busy_ = false;
    throw;
  }
}

bool DictEncoder::encode_rows(PyObject* rows, Py_ssize_t num_rows, const Matrices& out) {
  std::fill(is_known_.begin(), is_known_.end(), std::uint8_t{0});
  for (Py_ssize_t index = 0; index < num_rows; ++index) {
    const auto row = PySequence_Fast_GET_SIZE(rows) == num_rows
                         ? py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(rows, index))
                         : py::none();
    if (PyDict_CheckExact(row.ptr()) == 0 || !encode_row(row.ptr(), static_cast<std::size_t>(index), out)) {
      return false;
    }
  }
  return std::all_of(is_known_.begin(), is_known_.end(), [](std::uint8_t is_known) { return is_known != 0; });
}

bool DictEncoder::encode_row(PyObject* row, std::size_t index, const Matrices& out) {
  for (std::size_t column = 0; column < names_.size(); ++column) {
    PyObject* value = PyDict_GetItemWithError(row, names_[column].ptr());
    if (value == nullptr && PyErr_Occurred() != nullptr) {
      throw py::error_already_set();
    }
    is_known_[column] |= static_cast<std::uint8_t>(value != nullptr);
    values_[column] = value == nullptr ? py::none() : py::reinterpret_borrow<py::object>(value);
  }
  const DictRow slots{.values = values_,
                      .ids = out.ids + index * plan_.num_slots(),
                      .weights = out.weights == nullptr ? nullptr : out.weights + index * plan_.num_weights(),
                      .dense = out.dense + index * plan_.num_dense()};
  const bool is_done =
      std::all_of(groups_.begin(), groups_.end(), [&](const auto& group) { return group->encode(slots); });
  std::fill(values_.begin(), values_.end(), py::object());
  return is_done;
}

}  // namespace polyrank
