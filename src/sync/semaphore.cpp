#include <coir/sync/semaphore.hpp>

#include <coir/base/error.hpp>

namespace coir {

bool semaphore::try_acquire(std::size_t n) noexcept {
    const guard lock(lock_);
    if (permits_ < n || !waiting_.empty()) return false;
    permits_ -= n;
    return true;
}

bool semaphore::acquire_until(std::size_t n, deadline limit) {
    guard lock(lock_);
    if (permits_ >= n && waiting_.empty()) {
        permits_ -= n;
        return true;
    }
    detail::waiter self({"permits of semaphore", this}, &n);
    detail::wake_reason reason = detail::wake_reason::interrupted;
    try {
        reason = self.wait(waiting_, lock, limit);
    } catch (...) {
        lock.lock();
        serve(lock);  // those behind it may want less
        throw;
    }
    if (reason == detail::wake_reason::ready) return true;
    lock.lock();
    serve(lock);
    return false;
}

void semaphore::release(std::size_t n) {
    guard lock(lock_);
    if (__builtin_add_overflow(permits_, n, &permits_)) {
        permits_ -= n;
        throw fiber_error("semaphore::release of more permits than can be counted");
    }
    serve(lock);
}

/// Gives the permits to those who wait, as far as they go, and wakes them after unlocking: not even the lock may be
/// touched then, for who is woken may destroy the semaphore.
void semaphore::serve(guard& lock) noexcept {
    detail::wait_queue served;
    while (!waiting_.empty()) {
        detail::wait_node& first = waiting_.front();
        const std::size_t wanted = *static_cast<std::size_t*>(first.slot);
        if (wanted > permits_) break;
        permits_ -= wanted;
        first.unlink();
        served.push_back(first);
    }
    detail::notify_all(served, lock);
}

std::size_t semaphore::available() const noexcept {
    const guard lock(lock_);
    return permits_;
}

}  // namespace coir
