// The loop, step by step as src/hub/README.md has it. Fibers that are ready switch straight to one another; the loop
// runs when none is, and after each round of at most `round_` switches.
#include "fiber/switch.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/deadline.hpp>

#include <algorithm>
#include <utility>

namespace coir::detail {

namespace {

// A round is as many switches as fit into this time, so that timers and I/O are not late by much more, whatever the
// fibers do between two switches; it costs no clock reading on a switch.
constexpr std::int64_t short_round = 50'000;  // ns
constexpr std::int64_t long_round = 200'000;
constexpr int most_switches = 4096;

}  // namespace

void hub_core::run_loop() {
    trimmer_.fibers_ran();
    for (;;) {
        const bool polled = polling_ != nullptr;
        run_remote_items();
        wait_for_events();
        expire_timers();
        run_fibers();
        if (polled && polling_) resume_poller();
    }
}

/// Wakes and functions from other threads, in the order in which they came; what they send in turn is for the next
/// round.
void hub_core::run_remote_items() noexcept {
    remote_.end_sleep();
    remote_item* next = remote_.empty() ? nullptr : remote_.take_all();
    if (next) no_longer_stuck();
    while (next) {
        // The item is gone, or on another queue, once it has run.
        remote_item& item = *std::exchange(next, next->next_remote);
        item.run_on_hub(*this);
    }
}

/// Takes in what the kernel has. Waits for it only if nobody is ready.
void hub_core::wait_for_events() noexcept {
    events_ = 0;
    if (!ready_.empty() || polling_) return void(events_ = poller_->wait(0, *this));
    if (!source) return sleep_until(idle_until());
    if (source->start_sleep()) {
        sleep_until(idle_until());
    } else {
        events_ = poller_->wait(0, *this);
    }
    source->end_sleep();
}

void hub_core::sleep_until(std::int64_t until) noexcept {
    if (!ready_.empty()) return;
    if (remote_.start_sleep()) events_ = poller_->wait(until, *this);
    remote_.end_sleep();
    is_nudged_ = false;
}

/// Until when to sleep: to the next timer, or to the next look for a deadlock.
std::int64_t hub_core::idle_until() noexcept {
    const std::int64_t until = timers_.next_due();
    return until == timer_queue::never && fd_waiters == 0 ? look_for_deadlock() : until;
}

/// Makes ready all whose time has come: by deadline, then first armed first.
void hub_core::expire_timers() noexcept {
    const bool round_was_full = budget_ <= 0;
    if (timers_.size() == 0 && !round_was_full) {
        round_start_ = 0;
        return;
    }
    const std::int64_t now = steady_now();
    while (timer* t = timers_.pop_due(now)) t->expire();
    if (round_was_full && round_start_ != 0) {
        const std::int64_t took = now - round_start_;
        if (took < short_round) round_ = std::min(round_ * 2, most_switches);
        if (took > long_round) round_ = std::max(round_ / 4, 1);
    }
    round_start_ = now;
}

/// A round: until nobody is ready, or the budget is used up.
void hub_core::run_fibers() noexcept {
    budget_ = std::max(round_, events_);
    if (source) adopt_task(ready_.empty());
    if (ready_.empty()) return;
    if (order_) [[unlikely]] {
        budget_ = 1;
        ready_.bring_to_front(order_->choose(ready_.size()));
    }
    if (is_stuck_) no_longer_stuck();
    fiber_core& next = next_to_run();
    if (&next == &loop_) return;
    loop_.set_state(fiber_state::queued);
    trimmer_.fibers_ran();
    switch_context(thread_, next);
    reap(thread_);
}

void hub_core::resume_poller() noexcept {
    fiber_core& main = *std::exchange(polling_, nullptr);
    await_outside();
    main.set_state(fiber_state::running);
    switch_context(thread_, main);
    reap(thread_);
}

}  // namespace coir::detail
