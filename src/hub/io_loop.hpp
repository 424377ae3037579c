// The one loop around every read, write and accept on a descriptor that coir owns.
#pragma once

#include "hub/fd_watch.hpp"

#include <coir/base/error.hpp>

#include <sys/types.h>

#include <cerrno>
#include <system_error>

namespace coir::detail {

inline std::error_code from_errno(int error) noexcept { return {error, std::generic_category()}; }

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
    ec = from_errno(error);
    return result;
}

/// Tries `call(fd)` until it neither is interrupted nor would block, waiting in between. Its result, or a negative
/// errno: EBADF for a descriptor that is, or is being, closed. `wanted` is the result that leaves more to be had. Throws
/// what interrupts the fiber, before the call. `kept` holds the watch from the first suspension on: the stream may go
/// then. Now and then it lets others run first, so that a descriptor that is always ready does not keep them waiting.
template <class Call>
[[gnu::always_inline]] inline ssize_t io(fd_watch& watch, ref<fd_watch>& kept, direction d, std::size_t wanted,
                                         Call call) {
    hub_core& hub = hub_core::current();
    if (!hub.spend_io_budget()) [[unlikely]] {
        if (!kept) kept = ref<fd_watch>(&watch);
        hub.yield();
    }
    for (;;) {
        if (watch.may(d)) {
            watch.not_ready(d);
            if (!watch.enter()) return -EBADF;
            const ssize_t n = call(watch.fd());
            if (n >= 0) {
                const bool is_short = n > 0 && static_cast<std::size_t>(n) < wanted;
                if (!(is_short && watch.is_drained_by_short(d))) watch.try_again(d);
                watch.leave();
                return n;
            }
            const int error = errno;
            watch.leave();
            if (error != EAGAIN && error != EWOULDBLOCK) {
                watch.try_again(d);
                if (error != EINTR) return -error;
                continue;
            }
        }
        if (!kept) kept = ref<fd_watch>(&watch);
        if (watch.wait(d, deadline::never()) == wake_reason::closed) return -EBADF;
    }
}

/// The same with -1 and `ec` for an error.
template <class Call>
ssize_t io(fd_watch& watch, direction d, std::size_t wanted, std::error_code& ec, Call call) {
    ref<fd_watch> kept;
    const ssize_t n = io(watch, kept, d, wanted, call);
    ec = from_errno(n < 0 ? static_cast<int>(-n) : 0);
    return n < 0 ? -1 : n;
}

}  // namespace coir::detail
