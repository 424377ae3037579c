// <coir/sync/mutex.hpp>: mutual exclusion between fibers, and plain threads.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <atomic>

namespace coir {

/// As std::timed_mutex: `std::lock_guard`, `std::unique_lock` and `std::scoped_lock` work. Belongs to the fiber that
/// locked it, which may suspend while it holds it. Any thread; a plain thread blocks.
///
/// Order: first come, first served. Unlocking hands it to the first who waits, if that one is a fiber of the same
/// thread. To one of another thread the way is long: that one is woken and the mutex left free meanwhile, so that
/// others may slip in; but whom they have kept from it for 1 ms gets it handed over. A try_lock of a fiber that holds
/// another mutex may slip in as well, before one to whom it was handed has run: that is how std::scoped_lock of several
/// works, and otherwise it might never find all of them free.
/// Example: tests/sync/mutex_test.cpp
class mutex {
public:
    mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Suspends while another holds it. A cancellation point: it is not held then, and nobody is passed over.
    /// fiber_error when the current fiber holds it already.
    void lock() {
        if (!take()) lock_slowly(deadline::never());
    }
    /// Never suspends.
    bool try_lock() noexcept { return take() || take_from_heir(); }
    /// False when the limit was first.
    bool try_lock_for(time_span limit) { return take() || lock_slowly(deadline::after(limit)); }
    bool try_lock_until(deadline limit) { return take() || lock_slowly(limit); }
    template <class Clock, class Duration>
    bool try_lock_until(std::chrono::time_point<Clock, Duration> limit) {
        return try_lock_until(deadline::at(limit));
    }
    /// Does not suspend. fiber_error from a fiber that does not hold it.
    void unlock();

    /// The current fiber holds it.
    bool is_mine() const noexcept;

private:
    // free -> held by anybody's lock; held -> contended under lock_, by whoever comes to wait; back to free by the
    // holder's unlock, which must look at the queue if it was contended.
    enum state : int { free, held, contended };
    struct request;

    bool take() noexcept;
    bool take_from_heir() noexcept;
    void now_belongs_to(detail::fiber_core& fiber) noexcept;
    bool take_as_contended() noexcept;
    bool lock_slowly(deadline limit);
    void unlock_slowly() noexcept;

    std::atomic<int> state_{free};
    std::atomic<detail::fiber_core*> owner_{nullptr};
    detail::spinlock lock_;
    detail::wait_queue waiting_;  // each waiter's slot is its request
    // To whom it was handed over and who has not run since, and the hub that alone may look at it.
    request* heir_ = nullptr;
    std::atomic<detail::hub_core*> heir_home_{nullptr};
};

}  // namespace coir
