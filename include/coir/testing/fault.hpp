// <coir/testing/fault.hpp>: system calls that fail.
#pragma once

#include <cstddef>

namespace coir::testing {

/// The calls that coir makes, by their names.
enum class call {
    read,
    write,
    close,
    socket,
    bind,
    listen,
    connect,
    accept4,
    recv,
    send,
    sendmsg,
    recvmsg,
    shutdown,
    getsockopt,
    setsockopt,
    poll,
    epoll_create1,
    epoll_ctl,
    epoll_pwait2,
    eventfd,
    timerfd_create,
    timerfd_settime,
    mmap,
    munmap,
    mprotect,
    madvise,
    process_madvise,
    count_of_calls
};

struct fault_options {
    /// errno of the failing calls.
    int error;
    /// The first that fails, counted from 1.
    std::size_t nth = 1;
    /// How many fail, one after the other.
    std::size_t times = 1;
};

/// As long as it lives, calls of one kind fail: `coir::testing::fault f(coir::testing::call::accept4, {.error = EMFILE,
/// .nth = 3});`. Calls by coir in any thread count; those of libraries and of the test do not. A close that "fails" has
/// closed all the same, as the kernel's does. One at a time for each kind; to be made and destroyed while no other
/// thread makes calls. Example: tests/testing/fault_test.cpp
class fault {
public:
    fault(call which, const fault_options& options);
    fault(const fault&) = delete;
    fault& operator=(const fault&) = delete;
    ~fault();

    /// Calls so far, and how many of them have failed because of this.
    std::size_t calls() const noexcept;
    std::size_t failed() const noexcept;

private:
    const call which_;
};

}  // namespace coir::testing
