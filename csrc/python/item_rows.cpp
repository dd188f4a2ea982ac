#include "item_rows.hpp"

#include <pybind11/numpy.h>

#include <algorithm>
#include <stdexcept>

#include "item_reader.hpp"

namespace polyrank {
namespace {

namespace py = pybind11;

// Objects lie anywhere; asking for them this many rows ahead hides most of the wait for memory.
constexpr std::size_t kPrefetchRows = 48;

// So few that those asked for arrive while these are hashed: of 16 to 256 rows, the fastest on one AMD EPYC core.
constexpr std::size_t kGatheredRows = 48;
static_assert(kGatheredRows <= kBlockRows);

// Hashing this much text takes about as long as waiting for another thread to give the GIL back.
constexpr std::size_t kBytesWorthUnlocking = 1 << 20;

std::span<PyObject* const> items_of(const py::object& values) {
  PyObject* object = values.ptr();
  if (PyList_Check(object) != 0 || PyTuple_Check(object) != 0) {
    return {PySequence_Fast_ITEMS(object), static_cast<std::size_t>(PySequence_Fast_GET_SIZE(object))};
  }
  const auto array = py::reinterpret_borrow<py::array>(values);
  return {static_cast<PyObject* const*>(array.data()), static_cast<std::size_t>(array.size())};
}

void prefetch(const PyObject* item) noexcept {
  __builtin_prefetch(item);
  // A str of more than a few characters reaches into the next line.
  __builtin_prefetch(reinterpret_cast<const char*>(item) + 64);
}

/// Runs over items block by block. While Python code runs, which may change the list, nothing is borrowed.
template <typename Hash>
class ItemWalk {
 public:
  ItemWalk(const py::object& values, std::size_t size, const PythonReading& how, const Hash& hash)
      : values_(values), size_(size), odd_value_(how.odd_value), prepared_(how.reading), hash_(hash) {}

  void run() {
    for (std::size_t row = 0; row < size_;) {
      const auto items = items_of(values_);
      if (items.size() != size_) {
        throw std::invalid_argument("changed its size while it was read; give a list that no other thread changes");
      }
      row = gather(items, row);
    }
  }

 private:
  // Hashes what comes up to the end of a block or an odd value; returns the row after.
  std::size_t gather(std::span<PyObject* const> items, std::size_t first) {
    const std::size_t end = std::min(size_, first + kGatheredRows);
    std::size_t row = first;
    if (block_.takes_text()) {
      row += add_ascii(items, first, end);
    }
    PyObject* odd = nullptr;
    for (; row < end; ++row) {
      if (row + kPrefetchRows < size_) {
        prefetch(items[row + kPrefetchRows]);
      }
      if (items[row] == known_missing_.ptr()) {
        block_.add_missing();
      } else if (!reader_.add(items[row], row, block_)) {
        odd = items[row];
        break;
      }
    }
    const auto held = py::reinterpret_borrow<py::object>(odd);
    flush(items.subspan(first, row - first), first);
    return odd == nullptr ? row : add_odd(held, row);
  }

  // By far the commonest items, as long as they come, without a look at anything else.
  std::size_t add_ascii(std::span<PyObject* const> items, std::size_t first, std::size_t end) {
    const std::span<std::string_view> keys = block_.room();
    std::size_t num_bytes = 0;
    std::size_t count = 0;
    for (; first + count < end; ++count) {
      const std::size_t row = first + count;
      prefetch(items[std::min(row + kPrefetchRows, size_ - 1)]);
      const std::string_view text = ItemReader::ascii_of(items[row]);
      if (text.data() == nullptr) {
        break;
      }
      keys[count] = text;
      num_bytes += text.size();
    }
    block_.add_texts(count, num_bytes);
    return count;
  }

  void flush(std::span<PyObject* const> items, std::size_t first) {
    if (block_.num_bytes() < kBytesWorthUnlocking) {
      hash_(block_, first);
    } else {
      hash_unlocked(items, first);
    }
    block_.clear();
    reader_.clear();
  }

  // Another thread may take the items out of the list meanwhile.
  void hash_unlocked(std::span<PyObject* const> items, std::size_t first) {
    std::vector<py::object> held;
    for (PyObject* item : items) {
      held.push_back(py::reinterpret_borrow<py::object>(item));
    }
    const py::gil_scoped_release unlocked;
    hash_(block_, first);
  }

  std::size_t add_odd(const py::object& value, std::size_t row) {
    const py::object key = odd_value_(value, row);
    if (key.is_none()) {
      known_missing_ = value;  // pandas.NA and NaT are one object each, and come in numbers
    }
    if (!reader_.add(key.ptr(), row, block_)) {
      throw py::type_error("the key of an odd value must be bytes, int or None");
    }
    flush({}, row);
    return row + 1;
  }

  const py::object& values_;
  std::size_t size_;
  const py::object& odd_value_;
  PreparedReading prepared_;
  const Hash& hash_;
  RowBlock block_{prepared_};
  ItemReader reader_;
  py::object known_missing_;
};

template <typename Hash>
void walk(const py::object& values, std::size_t size, const PythonReading& how, const Hash& hash) {
  ItemWalk<Hash>(values, size, how, hash).run();
}

}  // namespace

ItemRows::ItemRows(py::object values) : values_(std::move(values)), size_(items_of(values_).size()) {}

void ItemRows::fingerprint(const PythonReading& how, std::span<std::int64_t> out) {
  walk(values_, size_, how,
       [&](RowBlock& block, std::size_t first) { block.fingerprint(out.subspan(first, block.size())); });
}

void ItemRows::chain(const PythonReading& how, std::span<std::uint64_t> states, std::span<std::uint8_t> is_missing) {
  walk(values_, size_, how, [&](RowBlock& block, std::size_t first) {
    block.chain(states.subspan(first, block.size()), is_missing.subspan(first, block.size()));
  });
}

}  // namespace polyrank
