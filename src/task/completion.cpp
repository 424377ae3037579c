#include "task/completion_inline.hpp"

#include <mutex>

namespace coir::detail {

bool completion::wait(deadline limit, const wait_info& info) {
    if (is_done()) return true;
    if (hub_core* here = hub_core::of_this_thread()) return wait_here(*here, limit, info);
    std::unique_lock lock(lock_);
    if (is_done()) return true;
    waiter self(info);
    return self.wait(waiters_, lock, limit) == wake_reason::ready;
}

void completion::finish_after_fork() noexcept {
    lock_.reset();
    while (waiters_.pop_front()) {
    }
    done_.store(true, std::memory_order_release);
}

bool completion::attach(wait_node& node) noexcept {
    const std::lock_guard guard(lock_);
    if (is_done()) return false;
    waiters_.push_back(node);
    return true;
}

void completion::detach(wait_node& node) noexcept {
    const std::lock_guard guard(lock_);
    if (node.is_linked()) node.unlink();
}

}  // namespace coir::detail
