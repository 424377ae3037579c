// The one loop around every system call on a socket.
#pragma once

#include "hub/fd_watch.hpp"

#include <coir/base/error.hpp>

#include <sys/types.h>

#include <cerrno>
#include <system_error>

namespace coir::net::detail {

using coir::detail::direction;
using coir::detail::fd_watch;
using coir::detail::hub_core;
using coir::detail::wake_reason;

inline std::error_code from_errno(int error) noexcept { return {error, std::generic_category()}; }

/// Tries `call(fd)` until it neither is interrupted nor would block, waiting in between. Its result, or -1 and `ec`;
/// EBADF for a socket that is, or is being, closed. Throws what interrupts the fiber, before the call. Now and then it
/// lets others run first, so that a socket that is always ready does not keep them waiting.
template <class Call>
ssize_t io(fd_watch& watch, direction d, std::error_code& ec, Call call) {
    hub_core& hub = hub_core::current();
    if (!hub.spend_io_budget()) hub.yield();
    for (;;) {
        if (watch.may(d)) {
            if (!watch.enter()) break;
            const ssize_t n = call(watch.fd());
            const int error = errno;
            watch.leave();
            if (n >= 0) {
                ec.clear();
                return n;
            }
            if (error == EINTR) continue;
            if (error != EAGAIN && error != EWOULDBLOCK) {
                ec = from_errno(error);
                return -1;
            }
            watch.not_ready(d);
        }
        if (watch.wait(d, deadline::never()) == wake_reason::closed) break;
    }
    ec = from_errno(EBADF);
    return -1;
}

}  // namespace coir::net::detail
