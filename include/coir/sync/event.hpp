// <coir/sync/event.hpp>: a flag to wait for.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <atomic>

namespace coir {

/// Fibers, and plain threads, wait until somebody sets it. Any thread may call anything.
/// Order: all who wait are woken, first come first. Example: tests/sync/event_test.cpp
class event {
public:
    event() noexcept = default;
    event(const event&) = delete;
    event& operator=(const event&) = delete;

    /// Wakes all who wait, and lets later ones pass. Does not suspend.
    void set() noexcept;
    /// Later ones wait again. Who was woken by a set() passes all the same.
    void clear() noexcept { is_set_.store(false, std::memory_order_release); }
    bool is_set() const noexcept { return is_set_.load(std::memory_order_acquire); }

    /// Suspends until it is set, if only for a moment. A cancellation point.
    void wait() { wait_until(deadline::never()); }
    /// False when the limit was first.
    bool wait_for(time_span limit) { return wait_until(deadline::after(limit)); }
    bool wait_until(deadline limit);

private:
    std::atomic<bool> is_set_{false};
    detail::spinlock lock_;
    detail::wait_queue waiting_;
};

}  // namespace coir
