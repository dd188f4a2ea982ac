#include "polyrank/levels.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "level_instances.hpp"

namespace polyrank {
namespace {

std::vector<const Level*> detect() {
  std::vector<const Level*> levels{&scalar_level()};
#if defined(__x86_64__)
  // These ask whether the system saves the registers too.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
    levels.push_back(&avx2_level());
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl")) {
      levels.push_back(&avx512_level());
    }
  }
#endif
  return levels;
}

const Level& choose() {
  const auto levels = available_levels();
  const char* forced = std::getenv("POLYRANK_ISA");
  if (forced == nullptr || *forced == '\0') {
    return *levels.back();
  }
  std::string names;
  for (const Level* level : levels) {
    if (std::string_view(forced) == level->name()) {
      return *level;
    }
    names += (names.empty() ? "" : ", ") + std::string(level->name());
  }
  throw std::invalid_argument("POLYRANK_ISA must be one of " + names + " on this processor, got " + forced);
}

}  // namespace

Level::~Level() = default;

std::span<const Level* const> available_levels() noexcept {
  static const std::vector<const Level*> levels = detect();
  return levels;
}

const Level& active_level() {
  static const Level& level = choose();
  return level;
}

}  // namespace polyrank
