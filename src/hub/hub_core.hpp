// A thread's hub: the scheduler of its fibers, and the loop that waits when none is ready.
#pragma once

#include "fiber/thread_state.hpp"
#include "hub/poller.hpp"
#include "hub/remote_queue.hpp"
#include "hub/run_queue.hpp"
#include "hub/timer_queue.hpp"

#include <coir/hub/detail/waiter.hpp>
#include <coir/hub/hub.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>

namespace coir::detail {

class foreign_watch;

/// Runs on a stack of its own, as a fiber that nobody holds.
class loop_fiber final : public fiber_core {
public:
    explicit loop_fiber(hub_core& hub) : fiber_core("loop", default_stack_size), hub_(hub) { is_loop = true; }
    message run() override;
    void destroy() noexcept override {}

private:
    hub_core& hub_;
};

class hub_core final : public scheduler, private remote_item, private keyed_events {
public:
    /// The calling thread's, made at first use.
    static hub_core& current() {
        thread_state& thread = this_thread();
        return thread.sched ? static_cast<hub_core&>(*thread.sched) : make(thread);
    }
    /// Null on a thread that has none.
    static hub_core* of_this_thread() noexcept {
        return this_thread_state ? static_cast<hub_core*>(this_thread_state->sched) : nullptr;
    }

    // --- what the current fiber asks for

    /// Switches away from the current fiber, which is parked or queued, and returns when it runs again.
    void switch_away() {
        fiber_core& next = next_to_run();
        if (&next != thread_.current) switch_to(next);
    }
    /// Lets the others that are ready run first. A cancellation point.
    void yield();
    /// From the main fiber, for a loop that embeds this one: one round without waiting.
    void poll();
    /// Makes the descriptor readable when there is something to poll for.
    int embed();

    // --- on the hub's thread

    void make_ready(fiber_core& fiber) noexcept {
        if (is_embedded_ && ready_.empty()) [[unlikely]]
            poller_->wake();
        fiber.waiting = nullptr;
        fiber.set_state(fiber_state::queued);
        ready_.push(fiber);
    }
    void arm(timer& t, deadline due, fiber_core& fiber) noexcept {
        t.fiber = &fiber;
        timers_.arm(t, due.nanoseconds());
    }
    void cancel(timer& t) noexcept { timers_.cancel(t); }
    /// Hands `error` to a fiber that may be blocked deep in the fibers it has called; see src/task/README.md.
    void interrupt(fiber_core& fiber, interrupt& what) noexcept;
    /// False when the current fiber has had its turn's worth of I/O without waiting: it should yield.
    bool spend_io_budget() noexcept { return --io_budget_ > 0; }

    /// How many fibers wait for a descriptor: one more, one less.
    std::size_t fd_waiters = 0;
    /// Work elsewhere that will wake a fiber of this hub: no deadlock while it is not zero. Any thread.
    std::atomic<int> outside_work{0};
    /// Watches of descriptors that coir does not own, by number, as long as somebody waits.
    std::unordered_map<int, std::unique_ptr<foreign_watch>> foreign_watches;
    std::uint32_t foreign_watches_made = 0;

    // --- any thread

    /// False, and the item is the caller's as before, when the hub has ended.
    bool send(remote_item& item) noexcept;
    bool post(unique_function<void()> function);
    void add_ref() noexcept { refs_.add(); }
    void drop_ref() noexcept {
        if (refs_.drop()) delete this;
    }

    // --- for the fiber floor

    fiber_core& next_to_run() noexcept override;
    void interrupt_wait(fiber_core& parked) noexcept override;
    void graveyard_filled() noexcept override;
    void report_unhandled(std::string_view fiber_name, std::exception_ptr error) noexcept override;
    void end_fibers() noexcept override;
    void retire() noexcept override;

    void set_unhandled(unhandled_handler handler) { unhandled_ = std::move(handler); }
    std::string describe_fibers();
    thread_state& thread() noexcept { return thread_; }
    poller& events() noexcept { return *poller_; }
    timer_queue& timers() noexcept { return timers_; }
    hub& handle() noexcept { return *std::launder(reinterpret_cast<hub*>(handle_room_)); }
    void after_fork();
    [[noreturn]] void run_loop();

private:
    explicit hub_core(thread_state& thread);
    ~hub_core();
    static hub_core& make(thread_state& thread);

    void switch_to(fiber_core& next);
    /// The hub itself is what is sent to it when its graveyard has been filled.
    void run_on_hub(hub_core& hub) noexcept override;
    void on_key(std::uint64_t key, std::uint32_t events) noexcept override;
    void run_remote_items() noexcept;
    void wait_for_events() noexcept;
    void expire_timers() noexcept;
    void run_fibers() noexcept;
    std::int64_t idle_until() noexcept;
    std::int64_t look_for_deadlock() noexcept;
    void raise_deadlock() noexcept;
    void no_longer_stuck() noexcept;
    void resume_poller() noexcept;
    void await_outside() noexcept;
    void ask_all_to_end() noexcept;
    void dig(bool all_suspended) noexcept;

    // --- touched by every switch
    run_queue ready_;
    bool is_embedded_ = false;  // another loop waits for poller_
    int budget_;                // switches until the loop gets its turn
    int io_budget_;
    thread_state& thread_;

    int round_;  // what budget_ starts from
    std::int64_t round_start_ = 0;
    fiber_core* polling_ = nullptr;  // the main fiber, while an embedding loop waits for the end of a round
    timer_queue timers_;
    std::unique_ptr<poller> poller_;
    remote_queue remote_;
    ref_count refs_;
    loop_fiber loop_;
    alignas(hub) std::byte handle_room_[sizeof(hub)];  // what hub::current() refers to; not counted
    unhandled_handler unhandled_;
    std::atomic<bool> is_burying_{false};
    std::atomic<bool> is_stuck_{false};  // counted among the stuck: see deadlock.hpp
    std::int64_t suspicion_at_ = 0;      // when to say that it looks like a deadlock
    std::uint64_t seen_awakenings_ = 0;
    std::int64_t trim_at_ = timer_queue::never;
};

/// "waits for mutex 0x7f..", "is ready to run", ...
std::string describe_wait(fiber_core& fiber);

/// Installs the handlers that give the child of a fork a fresh hub. Once.
void watch_forks();

/// How often this process was made by a fork of one with a hub: what was registered with epoll before the last one is
/// the parent's.
std::uint32_t fork_generation() noexcept;

}  // namespace coir::detail
