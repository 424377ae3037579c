#include <coir/sync/mutex.hpp>

#include <coir/base/error.hpp>
#include <coir/fiber/detail/fiber_core.hpp>

#include "hub/hub_core.hpp"

#include <fmt/format.h>

namespace coir {

namespace {

constexpr std::int64_t longest_barging = 1'000'000;  // ns

}  // namespace

/// What one who waits asks of whoever unlocks.
struct mutex::request {
    bool handed_over = false;     // by the one who unlocked: it is the waiter's now
    bool must_be_handed = false;  // it has been kept from it for long
    std::int64_t barged_since = 0;

    void was_barged() noexcept {
        const std::int64_t now = detail::steady_now();
        if (barged_since == 0) barged_since = now;
        must_be_handed = now - barged_since >= longest_barging;
    }
};

bool mutex::take() noexcept {
    int expected = state_.load(std::memory_order_relaxed);  // a look costs less than a locked instruction in vain
    if (expected != free ||
        !state_.compare_exchange_strong(expected, held, std::memory_order_acquire, std::memory_order_relaxed)) {
        return false;
    }
    now_belongs_to(detail::current_fiber());
    return true;
}

void mutex::now_belongs_to(detail::fiber_core& fiber) noexcept {
    owner_.store(&fiber, std::memory_order_relaxed);
    ++fiber.mutexes;
}

/// From a fiber of this thread, so that it cannot run meanwhile. It will wait again, as the first.
bool mutex::take_from_heir() noexcept {
    detail::hub_core* home = heir_home_.load(std::memory_order_acquire);
    if (!home || home != detail::hub_core::of_this_thread() || heir_->must_be_handed) return false;
    detail::fiber_core& self = detail::current_fiber();
    if (self.mutexes == 0) return false;
    heir_home_.store(nullptr, std::memory_order_relaxed);
    heir_->handed_over = false;
    now_belongs_to(self);
    return true;
}

bool mutex::is_mine() const noexcept { return owner_.load(std::memory_order_relaxed) == &detail::current_fiber(); }

/// Under the lock of the queue. Taken as contended even if nobody waits now: the unlock then looks at a queue that may be
/// empty.
bool mutex::take_as_contended() noexcept {
    return state_.load(std::memory_order_relaxed) != contended &&
           state_.exchange(contended, std::memory_order_acquire) == free;
}

bool mutex::lock_slowly(deadline limit) {
    detail::fiber_core& self = detail::current_fiber();
    if (is_mine()) throw fiber_error(fmt::format("fiber \"{}\" locks a mutex that it holds already", self.name()));
    request mine;
    std::unique_lock lock(lock_);
    for (auto place = detail::waiter::place::back; !take_as_contended(); place = detail::waiter::place::front) {
        detail::waiter waiter({"mutex", this}, &mine);
        if (waiter.wait(waiting_, lock, limit, place) != detail::wake_reason::ready) return false;
        if (mine.handed_over) {
            heir_home_.store(nullptr, std::memory_order_relaxed);
            break;
        }
        lock.lock();
        mine.was_barged();
    }
    now_belongs_to(self);
    return true;
}

void mutex::unlock() {
    detail::fiber_core& self = detail::current_fiber();
    if (owner_.load(std::memory_order_relaxed) != &self) {
        throw fiber_error(fmt::format("fiber \"{}\" unlocks a mutex that it does not hold", self.name()));
    }
    --self.mutexes;
    owner_.store(nullptr, std::memory_order_relaxed);
    int expected = state_.load(std::memory_order_relaxed);
    if (expected == contended ||
        !state_.compare_exchange_strong(expected, free, std::memory_order_release, std::memory_order_relaxed)) {
        unlock_slowly();
    }
}

/// What frees it must be the last access: who locks it then may destroy it. So the queue's lock is given up before,
/// and who is woken to lock it for himself is notified after.
void mutex::unlock_slowly() noexcept {
    int expected = held;
    do {
        std::unique_lock lock(lock_);
        if (auto* first = static_cast<detail::waiter*>(waiting_.pop_front())) {
            auto& asked = *static_cast<request*>(first->slot);
            const bool is_of_this_thread = first->is_of_this_thread();
            asked.handed_over = asked.must_be_handed || is_of_this_thread;
            const bool is_free = !asked.handed_over;
            if (is_of_this_thread) {
                heir_ = &asked;
                heir_home_.store(detail::hub_core::of_this_thread(), std::memory_order_release);
            }
            lock.unlock();
            if (is_free) state_.store(free, std::memory_order_release);
            return first->notify(detail::wake_reason::ready);
        }
        state_.store(expected = held, std::memory_order_relaxed);
    } while (!state_.compare_exchange_strong(expected, free, std::memory_order_release, std::memory_order_relaxed));
}

}  // namespace coir
