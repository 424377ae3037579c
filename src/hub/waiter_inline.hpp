// The wait itself, for whoever has it inlined: what a wait costs is the price of every primitive.
#pragma once

#include "fiber/switch.hpp"
#include "hub/hub_core.hpp"

#include <coir/hub/detail/waiter.hpp>

namespace coir::detail {

/// Whether throw_if_interrupted would throw, for a fiber that is not undisturbed; it is so again if all that disturbed it
/// has been withdrawn.
bool is_interrupted(thread_state& thread) noexcept;

[[gnu::always_inline]] inline bool must_not_wait(thread_state& thread) noexcept {
    return !thread.current->is_undisturbed() && is_interrupted(thread);
}

[[gnu::always_inline]] inline void waiter::take_place(wait_queue& queue, spinlock& held, deadline limit, place where) {
    lock_ = &held;
    limit_ = limit;
    where == place::back ? queue.push_back(*this) : queue.push_front(*this);
    held.unlock();
}

[[gnu::always_inline]] inline wake_reason waiter::park(hub_core& here, deadline limit) {
    fiber_core& self = *here.thread().current;
    self.waiting = this;
    self.set_state(fiber_state::parked);
    limit.is_never() ? here.switch_away() : switch_away_until(limit);
    if (interruption_) [[unlikely]]
        rethrow_interrupt();
    return reason_;
}

[[gnu::always_inline]] inline wake_reason waiter::wait_unchecked(hub_core& here, wait_queue& queue, spinlock& held,
                                                                 deadline limit, place where) {
    home_ = &here;
    fiber_ = here.thread().current;
    take_place(queue, held, limit, where);
    return park(here, limit);
}

}  // namespace coir::detail
