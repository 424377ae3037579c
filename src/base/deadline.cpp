#include <coir/base/deadline.hpp>

#include "base/syscall.hpp"

namespace coir::detail {

std::int64_t steady_now() noexcept {
    timespec now{};
    sys.clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace coir::detail
