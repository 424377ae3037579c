// <coir/sync/shared_mutex.hpp>: one writer, or any number of readers.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <cstddef>

namespace coir {

/// As std::shared_timed_mutex: `std::unique_lock` to write, `std::shared_lock` to read. Any thread; a plain thread
/// blocks.
///
/// Policy: first come, first served; readers that stand one behind the other enter together. So nobody starves: a
/// reader that comes while a writer waits stands behind it. Hence a fiber that reads must not begin to read again:
/// with a writer in between it would wait for itself. Example: tests/sync/shared_mutex_test.cpp
class shared_mutex {
public:
    shared_mutex() noexcept = default;
    shared_mutex(const shared_mutex&) = delete;
    shared_mutex& operator=(const shared_mutex&) = delete;

    /// To write. Suspends while anybody else is inside. A cancellation point: it is not held then, and nobody is
    /// passed over. fiber_error when the current fiber writes already.
    void lock() { lock_until(mode::write, deadline::never()); }
    bool try_lock() { return try_enter(mode::write); }
    /// False when the limit was first.
    bool try_lock_for(time_span limit) { return lock_until(mode::write, deadline::after(limit)); }
    bool try_lock_until(deadline limit) { return lock_until(mode::write, limit); }
    template <class Clock, class Duration>
    bool try_lock_until(std::chrono::time_point<Clock, Duration> limit) {
        return try_lock_until(deadline::at(limit));
    }
    /// Does not suspend. fiber_error from a fiber that does not write.
    void unlock();

    /// To read. As the above; fiber_error when the current fiber writes.
    void lock_shared() { lock_until(mode::read, deadline::never()); }
    bool try_lock_shared() { return try_enter(mode::read); }
    bool try_lock_shared_for(time_span limit) { return lock_until(mode::read, deadline::after(limit)); }
    bool try_lock_shared_until(deadline limit) { return lock_until(mode::read, limit); }
    template <class Clock, class Duration>
    bool try_lock_shared_until(std::chrono::time_point<Clock, Duration> limit) {
        return try_lock_shared_until(deadline::at(limit));
    }
    /// Does not suspend. fiber_error when nobody reads.
    void unlock_shared();

private:
    using guard = std::unique_lock<detail::spinlock>;
    enum class mode { read, write };
    struct request;

    bool try_enter(mode m);
    bool lock_until(mode m, deadline limit);
    bool may_enter(mode m) const noexcept;
    void enter(mode m, detail::fiber_core* fiber) noexcept;
    void serve(guard& lock) noexcept;

    detail::spinlock lock_;
    std::size_t readers_ = 0;
    detail::fiber_core* writer_ = nullptr;
    detail::wait_queue waiting_;  // each waiter's slot is its request
};

}  // namespace coir
