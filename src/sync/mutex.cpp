#include <coir/sync/mutex.hpp>

#include <coir/base/error.hpp>
#include <coir/fiber/detail/fiber_core.hpp>

#include <fmt/format.h>

namespace coir {

bool mutex::try_lock() noexcept {
    int expected = free;
    if (!state_.compare_exchange_strong(expected, held, std::memory_order_acquire, std::memory_order_relaxed)) {
        return false;
    }
    owner_.store(&detail::current_fiber(), std::memory_order_relaxed);
    return true;
}

bool mutex::lock_slowly(deadline limit) {
    detail::fiber_core& self = detail::current_fiber();
    if (owner_.load(std::memory_order_relaxed) == &self) {
        throw fiber_error(fmt::format("fiber \"{}\" locks a mutex that it holds already", self.name()));
    }
    std::unique_lock lock(lock_);
    // Taken as contended even if it is free now: the unlock then looks at a queue that may be empty.
    if (state_.exchange(contended, std::memory_order_acquire) != free) {
        detail::waiter waiter({"mutex", this});
        if (waiter.wait(waiting_, lock, limit) != detail::wake_reason::ready) return false;
    }
    owner_.store(&self, std::memory_order_relaxed);
    return true;
}

void mutex::unlock() {
    detail::fiber_core& self = detail::current_fiber();
    if (owner_.load(std::memory_order_relaxed) != &self) {
        throw fiber_error(fmt::format("fiber \"{}\" unlocks a mutex that it does not hold", self.name()));
    }
    owner_.store(nullptr, std::memory_order_relaxed);
    int expected = held;
    if (!state_.compare_exchange_strong(expected, free, std::memory_order_release, std::memory_order_relaxed)) {
        unlock_slowly();
    }
}

/// What frees it must be the last access: who locks it then may destroy it. So the queue's lock is given up before.
void mutex::unlock_slowly() noexcept {
    int expected = held;
    do {
        std::unique_lock lock(lock_);
        if (detail::notify_one(waiting_, lock)) return;
        state_.store(expected = held, std::memory_order_relaxed);
    } while (!state_.compare_exchange_strong(expected, free, std::memory_order_release, std::memory_order_relaxed));
}

}  // namespace coir
