// <coir/sync/recursive_mutex.hpp>: a mutex that its holder may lock again.
#pragma once

#include <coir/sync/mutex.hpp>

#include <cstddef>

namespace coir {

/// As std::recursive_timed_mutex, and belongs to a fiber: with the standard's, which belongs to a thread, two fibers
/// of one thread would both be inside. What coir::mutex says holds here. Example: tests/sync/recursive_mutex_test.cpp
class recursive_mutex {
public:
    /// Suspends while another fiber holds it; each lock needs an unlock.
    void lock() {
        if (again()) return;
        mutex_.lock();
        depth_ = 1;
    }
    bool try_lock() noexcept { return again() || (mutex_.try_lock() && is_now_mine()); }
    bool try_lock_for(time_span limit) { return again() || (mutex_.try_lock_for(limit) && is_now_mine()); }
    bool try_lock_until(deadline limit) { return again() || (mutex_.try_lock_until(limit) && is_now_mine()); }
    template <class Clock, class Duration>
    bool try_lock_until(std::chrono::time_point<Clock, Duration> limit) {
        return try_lock_until(deadline::at(limit));
    }

    /// fiber_error from a fiber that does not hold it.
    void unlock() {
        if (!mutex_.is_mine() || --depth_ == 0) mutex_.unlock();
    }

private:
    bool again() noexcept {
        if (!mutex_.is_mine()) return false;
        ++depth_;
        return true;
    }
    bool is_now_mine() noexcept {
        depth_ = 1;
        return true;
    }

    mutex mutex_;
    std::size_t depth_ = 0;  // the holder's
};

}  // namespace coir
