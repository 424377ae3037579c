// What other threads send to a hub: a lock-free stack that the hub takes whole, and the flag that says whether the
// hub must be woken for it.
#pragma once

#include <coir/hub/detail/waiter.hpp>

#include <atomic>

namespace coir::detail {

class remote_queue {
public:
    enum class result { queued, must_wake, closed };

    /// Any thread. must_wake: the hub sleeps, and it is this caller who has to write its eventfd.
    result push(remote_item& item) noexcept {
        remote_item* head = head_.load(std::memory_order_relaxed);
        do {
            if (head == &closed_mark_) return result::closed;
            item.next_remote = head;
        } while (!head_.compare_exchange_weak(head, &item, std::memory_order_seq_cst, std::memory_order_relaxed));
        if (!sleeping_.load(std::memory_order_seq_cst)) return result::queued;
        return sleeping_.exchange(false, std::memory_order_seq_cst) ? result::must_wake : result::queued;
    }

    bool empty() const noexcept {
        const remote_item* head = head_.load(std::memory_order_seq_cst);
        return head == nullptr || head == &closed_mark_;
    }

    /// Says that the hub is about to sleep; false when something has come in, so that it must not. The order (flag,
    /// then look) against push's (link, then look at the flag) is what loses no wake.
    bool start_sleep() noexcept {
        sleeping_.store(true, std::memory_order_seq_cst);
        if (empty()) return true;
        end_sleep();
        return false;
    }
    void end_sleep() noexcept { sleeping_.store(false, std::memory_order_relaxed); }

    /// Everything sent so far, oldest first, linked by next_remote. Requires that it is not closed.
    remote_item* take_all() noexcept { return reverse(head_.exchange(nullptr, std::memory_order_acquire)); }

    /// When nothing has come in, push refuses from now on.
    bool close_if_empty() noexcept {
        remote_item* none = nullptr;
        return head_.compare_exchange_strong(none, &closed_mark_, std::memory_order_acq_rel);
    }
    /// From now on push refuses. What is left comes back.
    remote_item* close() noexcept { return reverse(head_.exchange(&closed_mark_, std::memory_order_acq_rel)); }

    /// In the child of a fork: nothing of the parent's is left.
    void reset() noexcept {
        head_.store(nullptr, std::memory_order_relaxed);
        end_sleep();
    }

private:
    static remote_item* reverse(remote_item* from) noexcept {
        remote_item* reversed = nullptr;
        while (from) {
            remote_item* next = from->next_remote;
            from->next_remote = reversed;
            reversed = from;
            from = next;
        }
        return reversed;
    }

    struct mark final : remote_item {
        void run_on_hub(hub_core&) noexcept override {}
    };

    std::atomic<remote_item*> head_{nullptr};
    std::atomic<bool> sleeping_{false};
    mark closed_mark_;
};

}  // namespace coir::detail
