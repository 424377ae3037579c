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

/// A call that waits for nothing, on a descriptor that nobody can close meanwhile: 0, or -1 and `ec`.
template <class Call>
int at_once(fd_watch* watch, std::error_code& ec, Call call) {
    int result = -1;
    int error = EBADF;
    if (watch && watch->enter()) {
        result = call(watch->fd());
        error = result == 0 ? 0 : errno;
        watch->leave();
    }
    ec = {error, std::generic_category()};
    return result;
}

inline std::error_code from_errno(int error) noexcept { return {error, std::generic_category()}; }

/// Tries `call(fd)` until it neither is interrupted nor would block, waiting in between. Its result, or -1 and `ec`;
/// EBADF for a socket that is, or is being, closed. `wanted` is the result that leaves more to be had. Throws what interrupts the fiber, before the call. Now and then it
/// lets others run first, so that a socket that is always ready does not keep them waiting.
template <class Call>
ssize_t io(fd_watch& watch, direction d, std::size_t wanted, std::error_code& ec, Call call) {
    hub_core& hub = hub_core::current();
    if (!hub.spend_io_budget()) hub.yield();
    for (;;) {
        if (watch.may(d)) {
            watch.not_ready(d);
            if (!watch.enter()) break;
            const ssize_t n = call(watch.fd());
            const int error = errno;
            watch.leave();
            const bool is_short = n > 0 && static_cast<std::size_t>(n) < wanted;
            const bool would_block = n < 0 && (error == EAGAIN || error == EWOULDBLOCK);
            if (!would_block && !(is_short && watch.is_drained_by_short(d))) watch.try_again(d);
            if (n >= 0) {
                ec.clear();
                return n;
            }
            if (error == EINTR) continue;
            if (!would_block) {
                ec = from_errno(error);
                return -1;
            }
        }
        if (watch.wait(d, deadline::never()) == wake_reason::closed) break;
    }
    ec = from_errno(EBADF);
    return -1;
}

}  // namespace coir::net::detail
