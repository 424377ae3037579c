// A thread's hub: the scheduler of its fibers, and the loop that waits when none is ready.
#pragma once

#include "fiber/switch.hpp"
#include "fiber/thread_state.hpp"
#include "hub/deadlock.hpp"
#include "hub/poller.hpp"
#include "hub/posted_function.hpp"
#include "hub/remote_queue.hpp"
#include "hub/run_queue.hpp"
#include "hub/timer_queue.hpp"
#include "hub/trimmer.hpp"

#include <coir/hub/detail/waiter.hpp>
#include <coir/hub/hub.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>

namespace coir::detail {

class foreign_watch;

/// Tasks that wait to be started by whichever hub has the time: a hub_pool. Called on the hub's thread.
class work_source {
public:
    /// A task for this hub, which is its owner from now on, or null. Of another hub's only if it may steal.
    virtual fiber_core* take(bool may_steal) noexcept = 0;
    /// The hub is about to sleep, and must not if there is something to take. Whoever adds work then wakes it.
    virtual bool start_sleep() noexcept = 0;
    virtual void end_sleep() noexcept = 0;
    /// In the child of a fork, on the only thread: its tasks are the parent's to start.
    virtual void after_fork() noexcept = 0;

protected:
    ~work_source() = default;
};

/// Decides the order in which ready fibers run, instead of first come, first served.
class schedule {
public:
    /// Less than `count`.
    virtual std::size_t choose(std::size_t count) noexcept = 0;

protected:
    ~schedule() = default;
};

/// Runs on a stack of its own, as a fiber that nobody holds.
class loop_fiber final : public fiber_core {
public:
    explicit loop_fiber(hub_core& hub) : fiber_core("loop", default_stack_size), hub_(hub) { is_loop = true; }
    void run(thread_state&, message&) override;
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
    [[gnu::always_inline]] void switch_away() { switch_away(thread_); }
    /// The same, of one who has it at hand.
    [[gnu::always_inline]] void switch_away(thread_state& thread) {
        fiber_core& next = take_next();
        if (&next == thread.current) return;
        switch_context(thread, next);
        arrived(thread);
    }
    /// Lets the others that are ready run first. A cancellation point.
    void yield();
    /// Lets the others run until all are parked, with nothing more to hear from the kernel or from other threads.
    void yield_until_parked();
    /// From the next switch on; null for first come, first served.
    void run_in_order_of(schedule* order) noexcept {
        order_ = order;
        budget_ = 0;  // what is left of the round would be run as before
    }
    schedule* order() const noexcept { return order_; }
    /// From the main fiber, for a loop that embeds this one: one round without waiting.
    void poll();
    /// Makes the descriptor readable when there is something to poll for.
    int embed();

    // --- on the hub's thread

    void make_ready(fiber_core& fiber) noexcept {
        if (is_embedded_ && ready_.empty()) [[unlikely]]
            return make_first_ready(fiber);
        queue(fiber);
    }
    void arm(timer& t, deadline due, fiber_core& fiber) noexcept {
        t.fiber = &fiber;
        timers_.arm(t, due.nanoseconds());
    }
    void cancel(timer& t) noexcept { timers_.cancel(t); }
    /// Puts a task of its source's on the run queue, one of another hub's only if it may steal. False if there is none.
    bool adopt_task(bool may_steal) noexcept;
    /// Hands `error` to a fiber that may be blocked deep in the fibers it has called; see src/task/README.md.
    void interrupt(fiber_core& fiber, interrupt& what) noexcept;
    /// False when the current fiber has had its turn's worth of I/O without waiting: it should yield.
    bool spend_io_budget() noexcept { return --io_budget_ > 0; }

    /// Watches of descriptors that coir does not own, by number, as long as somebody waits.
    std::unordered_map<int, std::unique_ptr<foreign_watch>> foreign_watches;
    std::uint32_t foreign_watches_made = 0;
    /// Its main fiber is one of coir's, which nobody can tell of a deadlock.
    std::atomic<bool> serves_a_pool{false};
    work_source* source = nullptr;
    posted_function_store posted;
    /// How many fibers wait for a descriptor: one more, one less.
    std::size_t fd_waiters = 0;

    /// Of a posted function that has run.
    void keep_spent(posted_function& spent) noexcept {
        if (posted.give_back(spent)) trimmer_.posts_are_kept();
    }

    // --- any thread

    /// False, and the item is the caller's as before, when the hub has ended.
    bool send(remote_item& item) noexcept;
    bool post(unique_function<void()>&& function);
    /// Ends its sleep, so that it looks around.
    void look_around() noexcept;
    /// Something has been sent, or it has been made to look around, and it has not woken for it yet.
    bool has_mail() const noexcept { return is_nudged_ || !remote_.empty(); }
    void add_ref() noexcept { refs_.add(); }
    void drop_ref() noexcept {
        if (refs_.drop()) delete this;
    }

    // --- for the fiber floor

    fiber_core& next_to_run() noexcept override;
    void interrupt_wait(fiber_core& parked) noexcept override;
    void abandon(fiber_core& fiber) noexcept override;
    void graveyard_filled() noexcept override;
    void report_unhandled(std::string_view fiber_name, std::exception_ptr error) noexcept override;
    void end_fibers() noexcept override;
    void retire() noexcept override;

    /// What is posted is dropped then: it may use what has been destroyed with the thread.
    bool is_retiring() const noexcept { return is_retiring_; }
    void set_unhandled(unhandled_handler handler) { unhandled_ = std::move(handler); }
    std::string describe_fibers();
    thread_state& thread() noexcept { return thread_; }
    poller& events() noexcept { return *poller_; }
    timer_queue& timers() noexcept { return timers_; }
    bool trim() noexcept { return trimmer_.trim(); }
    hub& handle() noexcept { return *std::launder(reinterpret_cast<hub*>(handle_room_)); }
    void after_fork();
    [[noreturn]] void run_loop();

private:
    explicit hub_core(thread_state& thread);
    ~hub_core();
    static hub_core& make(thread_state& thread);

    /// The hub itself is what is sent to it when its graveyard has been filled.
    void run_on_hub(hub_core& hub) noexcept override;
    void on_key(std::uint64_t key, std::uint32_t events) noexcept override;
    /// Who runs next, off the run queue; the loop, if nobody is due.
    [[gnu::always_inline]] fiber_core& take_next() noexcept {
        io_budget_ = io_operations_per_turn;
        fiber_core* next = budget_ > 0 ? ready_.pop() : nullptr;
        if (!next) return find_next();
        --budget_;
        return next->context ? now_running(*next) : start_next(*next);
    }
    /// The same for one without a context: a task that is to be started, at once if it can go on where another one has
    /// ended, or a fiber that has never left its stack.
    fiber_core& start_next(fiber_core& task) noexcept;
    fiber_core& start_or_find_next(fiber_core& task) noexcept;
    /// The same when the queue is empty, or the round over, or a task could not be started.
    fiber_core& find_next() noexcept;
    bool try_start(fiber_core& task) noexcept;
    static fiber_core& now_running(fiber_core& next) noexcept {
        next.set_state(fiber_state::running);
        return next;
    }
    void queue(fiber_core& fiber) noexcept {
        fiber.set_state(fiber_state::queued);
        ready_.push(fiber);
    }
    [[gnu::always_inline]] void yield_unchecked(thread_state& thread) {
        fiber_core& self = *thread.current;
        self.set_state(fiber_state::queued);
        ready_.push(self);
        switch_away(thread);
    }
    void yield_if_not_interrupted();
    void make_first_ready(fiber_core& fiber) noexcept;
    void run_remote_items() noexcept;
    void drop_rest() noexcept;
    void wait_for_events() noexcept;
    void expire_timers() noexcept;
    void run_fibers() noexcept;
    void sleep_until(std::int64_t until) noexcept;
    std::int64_t idle_until() noexcept;
    std::int64_t look_for_deadlock() noexcept;
    std::int64_t tell_deadlock(std::int64_t now) noexcept;
    std::int64_t tell_suspicion(std::int64_t now) noexcept;
    void raise_deadlock(const std::string& text) noexcept;
    void no_longer_stuck() noexcept;
    void resume_poller() noexcept;
    void await_outside() noexcept;
    void ask_all_to_end() noexcept;
    void dig(bool all_suspended) noexcept;

    /// How many I/O operations a fiber may complete without waiting before others get their turn.
    static constexpr int io_operations_per_turn = 128;

    // --- touched by every switch
    run_queue ready_;
    bool is_embedded_ = false;  // another loop waits for poller_
    int budget_;                // switches until the loop gets its turn
    int io_budget_;
    thread_state& thread_;

    // --- and these by each round of the loop
    // What budget_ starts from: so many, or at least as many as the kernel has just reported events, for each of which
    // a fiber will run: to ask it for more before they have would only be a system call more.
    int round_;
    int events_ = 0;
    std::int64_t round_start_ = 0;
    schedule* order_ = nullptr;
    fiber_core* polling_ = nullptr;  // the main fiber, while an embedding loop waits for the end of a round
    std::unique_ptr<poller> poller_;
    remote_queue remote_;
    std::atomic<bool> is_nudged_{false};
    std::atomic<bool> is_stuck_{false};  // counted among the stuck: see deadlock.hpp
    std::atomic<bool> is_burying_{false};
    ref_count refs_;
    trimmer trimmer_;
    loop_fiber loop_;
    timer_queue timers_;

    // --- rarely touched
    alignas(hub) std::byte handle_room_[sizeof(hub)];  // what hub::current() refers to; not counted
    unhandled_handler unhandled_;
    bool is_retiring_ = false;
    std::int64_t suspicion_at_ = 0;  // when to say that it looks like a deadlock
    lookout lookout_;
};

/// "waits for mutex 0x7f..", "is ready to run", ...
std::string describe_wait(fiber_core& fiber);

/// Installs the handlers that give the child of a fork a fresh hub. Once.
void watch_forks();

/// What tasks end with that stayed in the parent of a fork.
std::exception_ptr stayed_behind();

/// How often this process was made by a fork of one with a hub: what was registered with epoll before the last one is
/// the parent's.
std::uint32_t fork_generation() noexcept;

}  // namespace coir::detail
