#include <coir/base/unique_fd.hpp>

#include "base/syscall.hpp"

namespace coir {

void unique_fd::reset(int fd) noexcept {
    const int old = std::exchange(fd_, fd);
    // EINTR is not retried: on Linux the number is free by then, and may be somebody else's already.
    if (old >= 0) detail::sys.close(old);
}

}  // namespace coir
