#include <coir/sync/once.hpp>

#include <coir/base/error.hpp>
#include <coir/fiber/detail/fiber_core.hpp>

#include <fmt/format.h>

namespace coir {

/// True when it is the caller who shall call the function, false when it has been called.
bool once::begin() {
    detail::fiber_core& self = detail::current_fiber();
    std::unique_lock lock(lock_);
    if (is_done()) return false;
    if (state_.load(std::memory_order_relaxed) == state::untried) {
        state_.store(state::running, std::memory_order_relaxed);
        runner_ = &self;
        return true;
    }
    if (runner_ == &self) {
        lock.unlock();
        throw fiber_error(fmt::format("fiber \"{}\" calls a once from inside its function", self.name()));
    }
    detail::waiter waiter({"once", this}, &self);
    return waiter.wait(waiting_, lock) == detail::wake_reason::ready;
}

/// After a failure the turn goes to the first who waits; after a success all go on.
void once::end(bool succeeded) noexcept {
    std::unique_lock lock(lock_);
    if (succeeded) {
        state_.store(state::done, std::memory_order_release);
        return detail::notify_all(waiting_, lock, detail::wake_reason::closed);
    }
    detail::wait_node* next = detail::take_first(waiting_);
    runner_ = next ? static_cast<detail::fiber_core*>(next->slot) : nullptr;
    if (!next) return state_.store(state::untried, std::memory_order_relaxed);
    lock.unlock();
    next->notify(detail::wake_reason::ready);
}

}  // namespace coir
