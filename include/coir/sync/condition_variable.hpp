// <coir/sync/condition_variable.hpp>: waiting, with a lock given up meanwhile, until somebody says that things changed.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>
#include <coir/hub/detail/waiter.hpp>
#include <coir/task/cancel.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>

namespace coir {

/// As std::condition_variable_any, for coir::mutex, recursive_mutex and shared_mutex:
/// `std::unique_lock lock(m); ready.wait(lock, [&] { return !jobs.empty(); });`
///
/// Without spurious wake-ups: a wait without a predicate ends by a notification or not at all. Any thread; a plain
/// thread blocks. Cancellation: throws cancelled, with the lock held; a notification that was given to the waiter
/// before counts, and is not lost. Taking the lock again is not interruptible, whatever the limit.
/// Order: first come, first served. Example: tests/sync/condition_variable_test.cpp
class condition_variable {
public:
    condition_variable() noexcept = default;
    condition_variable(const condition_variable&) = delete;
    condition_variable& operator=(const condition_variable&) = delete;

    /// Wakes the first who waits, all who wait. With or without the lock held. Does not suspend.
    void notify_one() noexcept;
    void notify_all() noexcept;

    /// Suspends until notified. fiber_error when `lock` holds nothing.
    template <class Mutex>
    void wait(std::unique_lock<Mutex>& lock) {
        wait_until(lock, deadline::never());
    }
    template <class Mutex, class Predicate>
    void wait(std::unique_lock<Mutex>& lock, Predicate ready) {
        while (!ready()) wait(lock);
    }

    /// std::cv_status::timeout when the limit was first.
    template <class Mutex>
    std::cv_status wait_for(std::unique_lock<Mutex>& lock, time_span limit) {
        return wait_until(lock, deadline::after(limit));
    }
    template <class Mutex>
    std::cv_status wait_until(std::unique_lock<Mutex>& lock, deadline limit);
    /// What the predicate says at the end.
    template <class Mutex, class Predicate>
    bool wait_for(std::unique_lock<Mutex>& lock, time_span limit, Predicate ready) {
        return wait_until(lock, deadline::after(limit), std::move(ready));
    }
    template <class Mutex, class Predicate>
    bool wait_until(std::unique_lock<Mutex>& lock, deadline limit, Predicate ready) {
        while (!ready()) {
            if (wait_until(lock, limit) == std::cv_status::timeout) return ready();
        }
        return true;
    }
    template <class Mutex, class Clock, class Duration>
    std::cv_status wait_until(std::unique_lock<Mutex>& lock, std::chrono::time_point<Clock, Duration> limit) {
        return wait_until(lock, deadline::at(limit));
    }
    template <class Mutex, class Clock, class Duration, class Predicate>
    bool wait_until(std::unique_lock<Mutex>& lock, std::chrono::time_point<Clock, Duration> limit, Predicate ready) {
        return wait_until(lock, deadline::at(limit), std::move(ready));
    }

private:
    template <class Mutex>
    struct relock {
        explicit relock(std::unique_lock<Mutex>& l) : lock(l) {}
        relock(const relock&) = delete;
        ~relock() {
            const shield mask;
            lock.lock();
        }
        std::unique_lock<Mutex>& lock;
    };

    void pass_on(detail::waiter& notified) noexcept;

    detail::spinlock lock_;
    detail::wait_queue waiting_;
};

template <class Mutex>
std::cv_status condition_variable::wait_until(std::unique_lock<Mutex>& lock, deadline limit) {
    if (!lock.owns_lock()) throw fiber_error("condition_variable::wait with a lock that holds nothing");
    detail::waiter self({"condition_variable", this});
    std::unique_lock queue_lock(lock_);
    self.enter(waiting_, queue_lock, limit);
    // Whoever notifies from now on finds the waiter, so nothing is missed between here and its rest.
    try {
        lock.unlock();
    } catch (...) {
        if (!self.abandon()) pass_on(self);
        throw;
    }
    const relock<Mutex> at_end(lock);
    return self.rest() == detail::wake_reason::timed_out ? std::cv_status::timeout : std::cv_status::no_timeout;
}

}  // namespace coir
