// <coir/base/spinlock.hpp>: guards a few instructions against other threads. Nothing may suspend under it.
#pragma once

#include <atomic>

namespace coir::detail {

/// Between two looks at what another thread is about to change: `spin_wait pause; while (!there) pause.once();`. A thread
/// that the kernel has preempted is waited for with sched_yield.
class spin_wait {
public:
    void once() noexcept;

private:
    unsigned rounds_ = 0;
};

/// Lockable. Unlocking is a plain store.
class spinlock {
public:
    void lock() noexcept {
        if (locked_.exchange(true, std::memory_order_acquire)) lock_contended();
    }
    bool try_lock() noexcept { return !locked_.exchange(true, std::memory_order_acquire); }
    void unlock() noexcept { locked_.store(false, std::memory_order_release); }

    /// In the child of a fork the holder may be a thread that no longer exists.
    void reset() noexcept { locked_.store(false, std::memory_order_relaxed); }

private:
    void lock_contended() noexcept;

    std::atomic<bool> locked_{false};
};

}  // namespace coir::detail
