// <coir/sync/semaphore.hpp>: a number of permits, taken and given back.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <cstddef>

namespace coir {

/// As std::counting_semaphore, and several permits may be taken at once. Anybody may give permits back, whoever took
/// them; any thread, and a plain thread blocks.
///
/// Order: strictly first come, first served, also across hubs, so that who wants many is not starved by those who
/// want few. Who gives up, or is cancelled, takes none, and lets those behind it through.
/// Example: tests/sync/semaphore_test.cpp
class semaphore {
public:
    explicit semaphore(std::size_t permits = 0) noexcept : permits_(permits) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;

    /// Suspends until it has `n` permits. A cancellation point: throws cancelled, having taken none.
    void acquire(std::size_t n = 1) { acquire_until(n, deadline::never()); }
    /// Never suspends: false when there are too few, or others wait.
    bool try_acquire(std::size_t n = 1) noexcept;
    /// False, and nothing taken, when the limit was first.
    bool try_acquire_for(time_span limit) { return acquire_until(1, deadline::after(limit)); }
    bool try_acquire_for(std::size_t n, time_span limit) { return acquire_until(n, deadline::after(limit)); }
    bool try_acquire_until(deadline limit) { return acquire_until(1, limit); }
    bool try_acquire_until(std::size_t n, deadline limit) { return acquire_until(n, limit); }

    /// Gives `n` permits, to those who wait first. Does not suspend. fiber_error when there would be more than
    /// std::size_t can count.
    void release(std::size_t n = 1);

    /// Permits that nobody has, at this moment.
    std::size_t available() const noexcept;

private:
    using guard = std::unique_lock<detail::spinlock>;

    bool acquire_until(std::size_t n, deadline limit);
    void serve(guard& lock) noexcept;

    mutable detail::spinlock lock_;
    std::size_t permits_;
    detail::wait_queue waiting_;  // each waiter's slot is how many it wants
};

}  // namespace coir
