// An end that happens once and that any number may wait for. Not for use outside coir.
#pragma once

#include <coir/hub/detail/waiter.hpp>

#include <atomic>

namespace coir::detail {

/// Part of an object that whoever finishes it keeps alive meanwhile. All of it from any thread.
class completion {
public:
    bool is_done() const noexcept { return done_.load(std::memory_order_acquire); }

    /// Once. Wakes all who wait, first come first; what was written before is theirs to read. Nodes are notified
    /// under the lock, so that one that has been detached is not being notified.
    void finish() noexcept {
        const std::lock_guard guard(lock_);
        done_.store(true, std::memory_order_release);
        while (wait_node* node = waiters_.pop_front()) node->notify(wake_reason::ready);
    }

    /// In the child of a fork, when those who would have finished it, and who waited, have stayed behind.
    void finish_after_fork() noexcept;

    /// Suspends; throws what interrupts the fiber. False when the limit was first.
    bool wait(deadline limit, const wait_info& info);
    /// The same for who has it inlined, with src/task/completion_inline.hpp, and has a hub.
    inline bool wait_here(hub_core& here, deadline limit, const wait_info& info);

    /// False, and the node is not attached, when it is done already.
    bool attach(wait_node& node) noexcept;
    void detach(wait_node& node) noexcept;

private:
    wait_queue waiters_;
    spinlock lock_;
    std::atomic<bool> done_{false};
};

}  // namespace coir::detail
