#include <coir/hub/detail/waiter.hpp>

#include "fiber/lifecycle.hpp"
#include "fiber/switch.hpp"
#include "hub/deadlock.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace coir::detail {

namespace {

constexpr std::uint32_t waiting = 0;
constexpr std::uint32_t woken = 1;

/// A futex must outlive the waker's last look at it, so each thread has one for good.
constinit thread_local std::atomic<std::uint32_t> thread_futex{woken};

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

/// Also when a trace callback throws.
struct armed_timer {
    armed_timer(hub_core& h, timer& t) noexcept : hub(h), limit(t) {}
    armed_timer(const armed_timer&) = delete;
    ~armed_timer() {
        if (limit.is_linked()) hub.cancel(limit);
    }

    hub_core& hub;
    timer& limit;
};

/// What may be thrown now. Also of the fibers that have called this one: it is blocked in their place. A shield, or an
/// unwinding, protects what stands before it.
interrupt* pending_interrupt(thread_state& thread) noexcept {
    fiber_core* at = thread.current;
    for (unsigned int uncaught = thread.exceptions->uncaught; at->is_interruptible(uncaught);) {
        if (!at->interrupts.empty()) return &at->interrupts.front();
        at = at->switcher;
        if (!at) break;
        uncaught = at->language.uncaught;
    }
    return nullptr;
}

/// Whether throw_if_interrupted would throw.
bool must_not_wait(thread_state& thread) noexcept {
    fiber_core& self = *thread.current;
    // What nearly always holds, from one cache line.
    if (self.interrupts.empty() && !self.switcher && !self.exiting && !self.is_loop) [[likely]]
        return false;
    return self.is_loop || pending_interrupt(thread) ||
           (self.exiting && self.is_interruptible(thread.exceptions->uncaught));
}

}  // namespace

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
        std::rethrow_exception(pending->error());
    }
}

wake_reason waiter::wait(wait_queue& queue, std::unique_lock<spinlock>& lock, deadline limit) {
    hub_core* hub = hub_core::of_this_thread();
    if (hub && must_not_wait(hub->thread())) [[unlikely]] {
        lock.unlock();
        throw_if_interrupted();
    }
    lock_ = lock.mutex();
    if (hub) {
        fiber_ = hub->thread().current;
        home_ = hub;
    } else {
        thread_futex.store(waiting, std::memory_order_relaxed);
        thread_word_ = &thread_futex;
        is_stuck_ = limit.is_never();
        if (is_stuck_) count_stuck(+1);
    }
    queue.push_back(*this);
    lock.unlock();
    return hub ? park(*hub, limit) : block_thread(limit);
}

wake_reason waiter::sleep(deadline limit) {
    hub_core& hub = hub_core::current();
    throw_if_interrupted();
    fiber_ = hub.thread().current;
    home_ = &hub;
    return park(hub, limit);
}

wake_reason waiter::park(hub_core& hub, deadline limit) {
    fiber_core& self = *fiber_;
    self.waiting = this;
    self.set_state(fiber_state::parked);
    if (!limit.is_never()) {
        timer_.owner = this;
        hub.arm(timer_, limit, self);
    }
    {
        const armed_timer disarm_at_end(hub, timer_);
        hub.switch_away();
    }
    if (error_) [[unlikely]]
        rethrow_interrupt();
    return reason_;
}

void waiter::rethrow_interrupt() {
    if (cancelled_) cancelled_->cancel_in_flight = false;
    std::rethrow_exception(std::move(error_));
}

wake_reason waiter::block_thread(deadline limit) {
    while (thread_word_->load(std::memory_order_acquire) == waiting) {
        if (limit.expired() && abandon()) return wake_reason::timed_out;
        futex_wait(*thread_word_, limit.expired() ? deadline::never() : limit);
    }
    return reason_;
}

/// By the waker, so that a thread that is about to run is not taken for a stuck one.
void waiter::no_longer_stuck() noexcept {
    if (is_stuck_.exchange(false)) count_stuck(-1);
}

void waiter::notify(wake_reason reason) noexcept {
    reason_ = reason;
    if (!fiber_) {
        no_longer_stuck();
        futex_wake(*thread_word_);
    } else if (home_ == hub_core::of_this_thread()) {
        home_->make_ready(*fiber_);
    } else {
        home_->send(*this);
    }
}

void waiter::run_on_hub(hub_core& hub) noexcept { hub.make_ready(*fiber_); }

bool waiter::abandon() noexcept {
    if (!lock_) return fiber_->waiting == this;  // nobody can wake it but its own hub
    const std::lock_guard guard(*lock_);
    if (!is_linked()) return false;
    unlink();
    return true;
}

void waiter::abandon_after_fork() noexcept {
    if (timer_.is_linked()) home_->cancel(timer_);
    if (lock_) lock_->reset();
    if (is_linked()) unlink();
}

void waiter::interrupt_with(std::exception_ptr error, fiber_core* cancelled) noexcept {
    error_ = std::move(error);
    cancelled_ = ref<fiber_core>(cancelled);
    reason_ = wake_reason::interrupted;
}

void waiter::limit_timer::expire() noexcept {
    if (!owner->abandon()) return;
    owner->reason_ = wake_reason::timed_out;
    owner->home_->make_ready(*owner->fiber_);
}

void notify_all(wait_queue& queue, std::unique_lock<spinlock>& lock, wake_reason reason) noexcept {
    // Off their queue, they are linked by `prev` alone: a limit that runs out now must find them taken.
    list_hook* first = nullptr;
    list_hook** last = &first;
    while (wait_node* node = queue.pop_front()) {
        *last = node;
        last = &node->prev;
    }
    lock.unlock();
    while (first) {
        auto* node = static_cast<wait_node*>(std::exchange(first, first->prev));
        node->prev = nullptr;
        node->notify(reason);
    }
}

bool notify_one(wait_queue& queue, std::unique_lock<spinlock>& lock, wake_reason reason) noexcept {
    wait_node* node = queue.pop_front();
    if (!node) return false;
    lock.unlock();
    node->notify(reason);
    return true;
}

}  // namespace coir::detail
