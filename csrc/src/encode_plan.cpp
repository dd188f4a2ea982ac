#include "polyrank/encode_plan.hpp"

#include <algorithm>
#include <utility>

namespace polyrank {

Plan::Plan(std::vector<Group> groups) {
  for (Group& group : groups) {
    groups_.push_back({.group = std::move(group), .columns = {}});
    place(groups_.back());
  }
}

void Plan::place(PlacedGroup& placed) {
  placed.slot = num_slots_;
  if (const auto* categorical = std::get_if<CategoricalGroup>(&placed.group)) {
    placed.columns = {column(categorical->field.name)};
    placed.num_slots = 1;
  } else if (const auto* bag = std::get_if<BagGroup>(&placed.group)) {
    placed.columns = {column(bag->field.name)};
    placed.num_slots = bag->max_length;
    if (!bag->weights.empty()) {
      placed.columns.push_back(column(bag->weights));
      placed.weight = std::exchange(num_weights_, num_weights_ + bag->max_length);
    }
  } else if (const auto* cross = std::get_if<CrossGroup>(&placed.group)) {
    for (const Field& part : cross->parts) {
      placed.columns.push_back(column(part.name));
    }
    placed.num_slots = 1;
  } else if (const auto* ngrams = std::get_if<NGramGroup>(&placed.group)) {
    placed.columns = {column(ngrams->field.name)};
    placed.num_slots = ngrams->max_length;
  } else if (const auto* number = std::get_if<NumberGroup>(&placed.group)) {
    placed.columns = {column(number->name)};
    placed.num_dense = 1;
  } else {
    const auto& vector = std::get<VectorGroup>(placed.group);
    placed.columns = {column(vector.name)};
    placed.num_dense = vector.dim;
  }
  if (placed.num_dense > 0) {
    placed.slot = std::exchange(num_dense_, num_dense_ + placed.num_dense);
  }
  num_slots_ += placed.num_slots;
}

std::size_t Plan::column(const std::string& name) {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  const auto index = static_cast<std::size_t>(found - columns_.begin());
  if (found == columns_.end()) {
    columns_.push_back(name);
  }
  return index;
}

}  // namespace polyrank
