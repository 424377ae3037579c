// The one wait: of a fiber or a plain thread, on one queue, until one of four things ends it.
// Not for use outside coir.
//
// Each primitive has a spinlock and, under it, one or more wait_queues. Whoever takes a node off its queue, under that
// lock, has decided how the wait ends: a waker, who then calls notify() after unlocking, or the waiter's own hub, for
// a time limit or an interrupt. So a wake is never lost to a waiter that gave up, nor a limit to a waiter that was
// woken, and a late one of either finds nothing to take.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/intrusive_list.hpp>
#include <coir/base/ref.hpp>
#include <coir/base/spinlock.hpp>
#include <coir/fiber/detail/fiber_core.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace coir::detail {

class hub_core;
class fiber_core;
class thread_state;
class lookout;
struct blocked_thread;
struct timer;

enum class wake_reason : std::uint8_t { ready, timed_out, closed, interrupted };

/// For whoever asks what a fiber is waiting for: "mutex 0x7f..", "readable fd 7".
struct wait_info {
    const char* what;
    const void* object = nullptr;
    int fd = -1;
    const fiber_core* fiber = nullptr;  // whose name says more than an address

    std::string describe() const;
};

class wait_node;

/// One wait on several queues, of which the first that takes it counts.
struct alternatives {
    /// Under the lock of the queue that `node` was taken off. False: another was first.
    virtual bool choose(wait_node& node) noexcept = 0;

protected:
    ~alternatives() = default;
};

/// Stands on a wait_queue. `slot` is for the primitive: what is handed over, say.
class wait_node : public list_hook {
public:
    explicit wait_node(void* s = nullptr) noexcept : slot(s) {}

    /// By whoever took it off its queue, still under the lock: it is woken now, unless another was first.
    bool claim() noexcept { return !one_of_ || one_of_->choose(*this); }
    /// Once, after claim(). Any thread.
    virtual void notify(wake_reason reason) noexcept = 0;

    void* const slot;

protected:
    ~wait_node() = default;

    alternatives* one_of_ = nullptr;
};

/// First come, first served. Guarded by the lock of the primitive that it is part of.
using wait_queue = intrusive_list<wait_node>;

/// Takes the first that still waits off its queue; null when there is none. It is the caller's to notify, after
/// unlocking.
inline wait_node* take_first(wait_queue& queue) noexcept {
    while (wait_node* node = queue.pop_front()) {
        if (node->claim()) return node;
    }
    return nullptr;
}

/// Something sent to a hub from another thread.
struct remote_item {
    /// On the hub's thread, on the loop's stack.
    virtual void run_on_hub(hub_core& hub) noexcept = 0;
    /// The hub has ended before it came to it.
    virtual void drop() noexcept {}

    remote_item* next_remote = nullptr;

protected:
    ~remote_item() = default;
};

/// One wait. Lives on the stack of who waits.
class waiter final : public wait_node, private remote_item {
public:
    explicit waiter(const wait_info& info, void* s = nullptr) noexcept : wait_node(s), info_(info) {}

    enum class place { back, front };
    /// Enters the queue, unlocks, and waits: parks the current fiber on its hub, or blocks a thread that has none.
    /// Throws, not having waited or having left the queue, what interrupts the fiber: cancelled, timed_out of a
    /// scope, fiber_exit, deadlock; and fiber_error in a function posted to a hub. The lock is not held afterwards.
    wake_reason wait(wait_queue& queue, std::unique_lock<spinlock>& lock, deadline limit = deadline::never(),
                     place where = place::back);
    /// The same for who has it inlined, with src/hub/waiter_inline.hpp, has a hub, and has seen that it may wait.
    inline wake_reason wait_unchecked(hub_core& here, wait_queue& queue, spinlock& held, deadline limit,
                                      place where = place::back);
    /// The two halves of wait(), for who has something to do in between that does not suspend.
    void enter(wait_queue& queue, std::unique_lock<spinlock>& lock, deadline limit);
    wake_reason rest();

    /// Waits for nothing but the limit or an interrupt.
    wake_reason sleep(deadline limit);

    void notify(wake_reason reason) noexcept override;

    /// Takes it off its queue; false when a waker was first. On the waiter's own thread.
    bool abandon() noexcept;
    /// In the child of a fork, where no other thread can hold the lock.
    void abandon_after_fork() noexcept;
    /// Requires that it has been abandoned.
    void interrupt_with(std::exception_ptr error, fiber_core* cancelled = nullptr) noexcept;

    const wait_info& info() const noexcept { return info_; }
    /// A fiber of the calling thread.
    bool is_of_this_thread() const noexcept;

private:
    struct interruption {
        std::exception_ptr error;
        ref<fiber_core> cancelled;  // whose cancellation the error is
    };

    inline void take_place(wait_queue& queue, spinlock& held, deadline limit, place where);
    inline wake_reason park(hub_core& here, deadline limit);
    void switch_away_until(deadline limit);
    inline void withdraw_limit() noexcept;
    void be_plain_thread(deadline limit) noexcept;
    wake_reason block_thread();
    void look_for_deadlock(lookout& around);
    void rethrow_interrupt();
    void notify_elsewhere() noexcept;
    void tell_abandoner() noexcept;
    inline void wake_fiber() noexcept;
    void wake_before_limit() noexcept;
    void run_on_hub(hub_core& hub) noexcept override;

    // What it costs to set these is what it costs to wait: what only few waits need is made by those.
    wait_info info_;
    spinlock* lock_ = nullptr;  // of the queue it is on
    deadline limit_ = deadline::never();
    hub_core* home_ = nullptr;
    fiber_core* fiber_ = nullptr;  // or, for a thread that has no hub:
    blocked_thread* thread_ = nullptr;
    timer* timer_ = nullptr;  // while it waits with a limit
    wake_reason reason_ = wake_reason::ready;
    // A waker on another thread and a limit, or an interrupt, may come at once: see abandon().
    std::atomic<bool> is_taken_{false};
    std::atomic<bool> is_abandoning_{false};
    std::optional<interruption> interruption_;
};

/// Throws what is pending for the current fiber, if it may be interrupted now. Every suspension starts with it.
void throw_if_interrupted();

/// Nodes on their way from their queues to being woken. They are linked by `prev` alone: a limit that runs out meanwhile
/// must find them taken.
class taken_nodes {
public:
    taken_nodes() noexcept = default;
    taken_nodes(const taken_nodes&) = delete;
    taken_nodes& operator=(const taken_nodes&) = delete;

    /// Under the lock of the queue.
    void take_all(wait_queue& queue) noexcept {
        while (wait_node* node = take_first(queue)) {
            *last_ = node;
            last_ = &node->prev;
        }
    }
    /// Once, without the lock.
    void notify(wake_reason reason) noexcept {
        while (first_) {
            auto* node = static_cast<wait_node*>(std::exchange(first_, first_->prev));
            node->prev = nullptr;
            node->notify(reason);
        }
    }

private:
    list_hook* first_ = nullptr;
    list_hook** last_ = &first_;
};

/// Takes all of a queue, and wakes them after the lock has been released.
void notify_all(wait_queue& queue, std::unique_lock<spinlock>& lock, wake_reason reason = wake_reason::ready) noexcept;

/// Wakes the first of a queue after the lock has been released. False, and still locked, if there is none.
bool notify_one(wait_queue& queue, std::unique_lock<spinlock>& lock, wake_reason reason = wake_reason::ready) noexcept;

}  // namespace coir::detail
