#include <coir/hub/detail/waiter.hpp>

#include "fiber/lifecycle.hpp"
#include "hub/deadlock.hpp"
#include "hub/waiter_inline.hpp"

#include <coir/base/error.hpp>
#include <coir/hub/detail/timer.hpp>

#include <fmt/format.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace coir::detail {

namespace {

// How long a plain thread waits before it looks whether anybody is left to wake it, and at most between two looks.
constexpr std::chrono::nanoseconds first_look_after = std::chrono::milliseconds(20);
constexpr std::chrono::nanoseconds last_look_after = std::chrono::seconds(2);

constexpr std::uint32_t woken = 0;
constexpr std::uint32_t waiting = 1;

}  // namespace

/// A thread without a hub, which waits by itself. It must outlive the waker's last look at it, so each thread is one for
/// good.
struct blocked_thread {
    std::atomic<std::uint32_t> word;
    std::atomic<bool> is_stuck;  // counted as one that wakes nobody: see deadlock.hpp
    stuck_kind stuck_as;

    void start_wait(deadline limit) noexcept {
        word.store(waiting, std::memory_order_relaxed);
        stuck_as = waits_as;
        const bool wakes_nobody = limit.is_never() || stuck_as == stuck_kind::helper;
        if (wakes_nobody && !is_stuck.exchange(true)) count_stuck(stuck_as, +1);
    }
    /// By whoever takes its waiter off a queue, so that a thread that is about to run is not taken for a stuck one.
    void no_longer_stuck() noexcept {
        if (is_stuck.exchange(false)) count_stuck(stuck_as, -1);
    }
};

namespace {

constinit thread_local blocked_thread own_thread{};

/// Returns when the word is no longer `waiting`, the limit is over, or for no reason.
void futex_wait(std::atomic<std::uint32_t>& word, deadline limit) noexcept {
    timespec at{};
    at.tv_sec = limit.nanoseconds() / 1'000'000'000;
    at.tv_nsec = limit.nanoseconds() % 1'000'000'000;
    // FUTEX_WAIT_BITSET takes an absolute time of the steady clock.
    ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, waiting, limit.is_never() ? nullptr : &at, nullptr,
              FUTEX_BITSET_MATCH_ANY);
}

void futex_wake(std::atomic<std::uint32_t>& word) noexcept {
    word.store(woken, std::memory_order_release);
    ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

/// What may be thrown now. Also of the fibers that have called this one: it is blocked in their place. A shield, or an
/// unwinding, protects against what was opened outside of it.
interrupt* pending_interrupt(thread_state& thread) noexcept {
    fiber_core* at = thread.current;
    for (unsigned int uncaught = thread.exceptions->uncaught;;) {
        for (interrupt& pending : at->interrupts) {
            if (at->is_open_to(pending, uncaught)) return &pending;
        }
        if (!at->is_interruptible(uncaught) || !at->switcher) return nullptr;
        at = at->switcher;
        uncaught = at->language.uncaught;
    }
}

}  // namespace

bool is_interrupted(thread_state& thread) noexcept {
    fiber_core& self = *thread.current;
    self.may_have_interrupts = !self.interrupts.empty();
    return self.is_loop || pending_interrupt(thread) ||
           (self.exiting && self.is_interruptible(thread.exceptions->uncaught));
}

std::string wait_info::describe() const {
    if (fiber) return fmt::format("{} \"{}\"", what, fiber->name());
    if (fd >= 0) return fmt::format("{} fd {}", what, fd);
    if (object) return fmt::format("{} {}", what, object);
    return what;
}

void throw_if_interrupted() {
    thread_state& thread = this_thread();
    if (!must_not_wait(thread)) [[likely]]
        return;
    if (thread.current->is_loop) {
        throw fiber_error("a function posted to a hub may not suspend: spawn a task from it");
    }
    exit_if_orphaned(thread);
    if (interrupt* pending = pending_interrupt(thread)) {
        pending->unlink();
        std::rethrow_exception(pending->to_throw());
    }
}

namespace {

/// It stays held, but not by `lock`, which may lock it again.
spinlock& take_from(std::unique_lock<spinlock>& lock) noexcept {
    spinlock& held = *lock.release();
    lock = std::unique_lock(held, std::defer_lock);
    return held;
}

}  // namespace

wake_reason waiter::wait(wait_queue& queue, std::unique_lock<spinlock>& lock, deadline limit, place where) {
    hub_core* here = hub_core::of_this_thread();
    if (!here) {
        be_plain_thread(limit);
        take_place(queue, take_from(lock), limit, where);
        return block_thread();
    }
    if (must_not_wait(here->thread())) [[unlikely]] {
        lock.unlock();
        throw_if_interrupted();
    }
    return wait_unchecked(*here, queue, take_from(lock), limit, where);
}

void waiter::enter(wait_queue& queue, std::unique_lock<spinlock>& lock, deadline limit) {
    home_ = hub_core::of_this_thread();
    if (!home_) {
        be_plain_thread(limit);
    } else if (must_not_wait(home_->thread())) {
        lock.unlock();
        throw_if_interrupted();
    } else {
        fiber_ = home_->thread().current;
    }
    take_place(queue, take_from(lock), limit, place::back);
}

wake_reason waiter::rest() { return home_ ? park(*home_, limit_) : block_thread(); }

wake_reason waiter::sleep(deadline limit) {
    hub_core& hub = hub_core::current();
    throw_if_interrupted();
    limit_ = limit;
    fiber_ = hub.thread().current;
    home_ = &hub;
    return park(hub, limit);
}

inline void waiter::withdraw_limit() noexcept {
    if (timer_->is_linked()) home_->cancel(*timer_);
}

/// Its timer lives while the waiter waits, also when a trace callback throws.
void waiter::switch_away_until(deadline limit) {
    struct limit_timer final : timer {
        limit_timer(waiter& w, deadline limit) noexcept : self(w) {
            self.timer_ = this;
            self.home_->arm(*this, limit, *self.fiber_);
        }
        ~limit_timer() {
            self.withdraw_limit();
            self.timer_ = nullptr;
        }
        void expire() noexcept override {
            if (!self.abandon()) return;
            self.reason_ = wake_reason::timed_out;
            self.home_->make_ready(*self.fiber_);
        }
        waiter& self;
    };
    const limit_timer until(*this, limit);
    home_->switch_away();
}

void waiter::rethrow_interrupt() {
    if (interruption_->cancelled) interruption_->cancelled->cancel_in_flight = false;
    std::rethrow_exception(std::move(interruption_->error));
}

void waiter::be_plain_thread(deadline limit) noexcept {
    thread_ = &own_thread;
    thread_->start_wait(limit);
}

wake_reason waiter::block_thread() {
    // The kernel knows no other clock than the real one, whatever the seam says.
    using clock = std::chrono::steady_clock;
    const time_span end = time_span(clock::now().time_since_epoch()) + limit_.remaining();
    const deadline limit = deadline::at(clock::time_point(end.count()));
    lookout around;
    time_span pause = first_look_after;
    while (thread_->word.load(std::memory_order_acquire) == waiting) {
        const deadline now = deadline::at(clock::now());
        if (limit <= now && abandon()) return wake_reason::timed_out;
        if (!limit.is_never()) {
            futex_wait(thread_->word, limit <= now ? deadline::never() : limit);
            continue;
        }
        const deadline next_look = deadline::at(clock::now() + pause.count());
        futex_wait(thread_->word, next_look);
        if (deadline::at(clock::now()) < next_look) continue;
        look_for_deadlock(around);
        pause = std::min(pause.count() * 2, last_look_after);
    }
    return reason_;
}

/// Throws deadlock if it is this thread that is to be told of one.
void waiter::look_for_deadlock(lookout& around) {
    if (around.look() != lookout::sight::deadlock) return;
    if (this_thread_state && !this_thread_state->main->is_interruptible(this_thread_state->exceptions->uncaught))
        return;
    const std::string text = deadlock_of_plain_thread(info_.describe());
    if (text.empty()) return ask_hubs_to_look();
    if (abandon()) throw deadlock(text);
}

[[gnu::always_inline]] inline void waiter::wake_fiber() noexcept {
    if (timer_) return wake_before_limit();
    home_->make_ready(*fiber_);
}

/// Its limit is withdrawn at once: the primitive may be gone by the time it would run out.
void waiter::wake_before_limit() noexcept {
    withdraw_limit();
    home_->make_ready(*fiber_);
}

void waiter::notify(wake_reason reason) noexcept {
    reason_ = reason;
    is_of_this_thread() ? wake_fiber() : notify_elsewhere();
}

void waiter::notify_elsewhere() noexcept {
    tell_abandoner();
    if (fiber_) {
        home_->send(*this);
    } else {
        thread_->no_longer_stuck();
        futex_wake(thread_->word);
    }
}

/// From here on nobody looks at the primitive for this waiter's sake; whoever does so already is waited for. So the
/// primitive may be destroyed when its waiters have been notified.
void waiter::tell_abandoner() noexcept {
    is_taken_.store(true);
    spin_wait pause;
    while (is_abandoning_.load()) pause.once();
}

bool waiter::is_of_this_thread() const noexcept { return fiber_ && home_ == hub_core::of_this_thread(); }

void waiter::run_on_hub(hub_core&) noexcept { wake_fiber(); }

bool waiter::abandon() noexcept {
    // Nobody can wake it but its own hub.
    if (!lock_) return fiber_->state() == fiber_state::parked && fiber_->waiting == this;
    is_abandoning_.store(true);
    bool was_waiting = false;
    spin_wait pause;
    // Not simply lock(): the waker may hold the lock while it waits for this to be over.
    bool is_locked = false;
    while (!is_taken_.load() && !(is_locked = lock_->try_lock())) pause.once();
    if (is_locked) {
        const std::lock_guard guard(*lock_, std::adopt_lock);
        was_waiting = is_linked();
        if (was_waiting) unlink();
    }
    is_abandoning_.store(false, std::memory_order_release);
    if (was_waiting && !fiber_) thread_->no_longer_stuck();
    return was_waiting;
}

void waiter::abandon_after_fork() noexcept {
    if (timer_) withdraw_limit();
    if (lock_) lock_->reset();
    if (is_linked()) unlink();
}

void waiter::interrupt_with(std::exception_ptr error, fiber_core* cancelled) noexcept {
    interruption_.emplace(interruption{std::move(error), ref<fiber_core>(cancelled)});
    reason_ = wake_reason::interrupted;
}

void notify_all(wait_queue& queue, std::unique_lock<spinlock>& lock, wake_reason reason) noexcept {
    taken_nodes taken;
    taken.take_all(queue);
    lock.unlock();
    taken.notify(reason);
}

bool notify_one(wait_queue& queue, std::unique_lock<spinlock>& lock, wake_reason reason) noexcept {
    wait_node* node = take_first(queue);
    if (!node) return false;
    lock.unlock();
    node->notify(reason);
    return true;
}

}  // namespace coir::detail
