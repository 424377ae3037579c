// <coir/sync/mutex.hpp>: mutual exclusion between fibers, and plain threads.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <atomic>

namespace coir {

/// As std::timed_mutex: `std::lock_guard`, `std::unique_lock` and `std::scoped_lock` work. Belongs to the fiber that
/// locked it, which may suspend while it holds it. Any thread; a plain thread blocks.
/// Order: first come, first served; unlocking hands it to the first who waits.
/// Example: tests/sync/mutex_test.cpp
class mutex {
public:
    mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Suspends while another holds it. A cancellation point: it is not held then, and nobody is passed over.
    /// fiber_error when the current fiber holds it already.
    void lock() {
        if (!try_lock()) lock_slowly(deadline::never());
    }
    /// Never suspends.
    bool try_lock() noexcept;
    /// False when the limit was first.
    bool try_lock_for(time_span limit) { return try_lock() || lock_slowly(deadline::after(limit)); }
    bool try_lock_until(deadline limit) { return try_lock() || lock_slowly(limit); }
    template <class Clock, class Duration>
    bool try_lock_until(std::chrono::time_point<Clock, Duration> limit) {
        return try_lock_until(deadline::at(limit));
    }
    /// Does not suspend. fiber_error from a fiber that does not hold it.
    void unlock();

private:
    // free -> held by anybody's lock; held -> contended under lock_, by whoever comes to wait; back to free by the
    // holder's unlock, which must look at the queue if it was contended.
    enum state : int { free, held, contended };

    bool lock_slowly(deadline limit);
    void unlock_slowly() noexcept;

    std::atomic<int> state_{free};
    std::atomic<detail::fiber_core*> owner_{nullptr};
    detail::spinlock lock_;
    detail::wait_queue waiting_;
};

}  // namespace coir
