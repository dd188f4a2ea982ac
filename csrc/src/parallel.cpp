#include "parallel.hpp"

#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace polyrank {

void in_parallel(std::size_t count, const std::function<void(std::size_t)>& part) {
  std::vector<std::exception_ptr> errors(count);
  const auto run = [&](std::size_t index) noexcept {
    try {
      part(index);
    } catch (...) {
      errors[index] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    threads.reserve(count);
    for (std::size_t index = 1; index < count; ++index) {
      try {
        threads.emplace_back(run, index);
      } catch (const std::system_error&) {  // the system has no thread left to give
        run(index);
      }
    }
    if (count > 0) {
      run(0);
    }
  }
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

}  // namespace polyrank
