#include <coir/sync/event.hpp>

namespace coir {

void event::set() noexcept {
    std::unique_lock lock(lock_);
    is_set_.store(true, std::memory_order_release);
    detail::notify_all(waiting_, lock);
}

bool event::wait_until(deadline limit) {
    // Not without the lock: set() may still be inside, and who was let pass may destroy the event.
    std::unique_lock lock(lock_);
    if (is_set()) return true;
    detail::waiter self({"event", this});
    return self.wait(waiting_, lock, limit) == detail::wake_reason::ready;
}

}  // namespace coir
