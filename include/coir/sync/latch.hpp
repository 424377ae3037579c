// <coir/sync/latch.hpp>: waiting until something has happened a number of times.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <cstddef>

namespace coir {

/// As std::latch: counts down once; who waits goes on when it has come to zero. Go's WaitGroup, without the adding.
/// Any thread; a plain thread blocks. Example: tests/sync/latch_test.cpp
class latch {
public:
    explicit latch(std::size_t count) noexcept : count_(count) {}
    latch(const latch&) = delete;
    latch& operator=(const latch&) = delete;

    /// Does not suspend. fiber_error when it would go below zero.
    void count_down(std::size_t n = 1);
    /// It has come to zero. Never suspends.
    bool try_wait() const noexcept;

    /// Suspends until it has come to zero. A cancellation point.
    void wait() { wait_until(deadline::never()); }
    /// False when the limit was first.
    bool wait_for(time_span limit) { return wait_until(deadline::after(limit)); }
    bool wait_until(deadline limit);

    /// Counts down, and waits. If the wait is cancelled it has counted all the same.
    void arrive_and_wait(std::size_t n = 1) {
        count_down(n);
        wait();
    }

private:
    mutable detail::spinlock lock_;
    std::size_t count_;
    detail::wait_queue waiting_;
};

}  // namespace coir
