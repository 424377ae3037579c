#include <coir/sync/latch.hpp>

#include <coir/base/error.hpp>

#include <fmt/format.h>

namespace coir {

void latch::count_down(std::size_t n) {
    std::unique_lock lock(lock_);
    if (n > count_) {
        const std::size_t left = count_;
        lock.unlock();
        throw fiber_error(fmt::format("latch::count_down by {} with {} left", n, left));
    }
    count_ -= n;
    if (count_ == 0) detail::notify_all(waiting_, lock);
}

bool latch::try_wait() const noexcept {
    const std::lock_guard lock(lock_);
    return count_ == 0;
}

bool latch::wait_until(deadline limit) {
    std::unique_lock lock(lock_);
    if (count_ == 0) return true;
    detail::waiter self({"latch", this});
    return self.wait(waiting_, lock, limit) == detail::wake_reason::ready;
}

}  // namespace coir
