#include <coir/task/detail/completion.hpp>

namespace coir::detail {

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
