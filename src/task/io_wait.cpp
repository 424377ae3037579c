#include <coir/task/io_wait.hpp>

#include "base/syscall.hpp"
#include "hub/foreign_watch.hpp"

namespace coir {

namespace {

bool wait_for_event(int fd, std::uint32_t event, deadline limit) {
    return detail::foreign_watch::wait(fd, event, limit) != detail::wake_reason::timed_out;
}

}  // namespace

void wait_readable(int fd) { wait_for_event(fd, EPOLLIN, deadline::never()); }

void wait_writable(int fd) { wait_for_event(fd, EPOLLOUT, deadline::never()); }

bool wait_readable_until(int fd, deadline limit) { return wait_for_event(fd, EPOLLIN, limit); }

bool wait_writable_until(int fd, deadline limit) { return wait_for_event(fd, EPOLLOUT, limit); }

}  // namespace coir
