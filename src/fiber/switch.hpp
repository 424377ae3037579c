// The one switch between stacks, on Boost.Context's raw fcontext calls, and what stands directly around it.
#pragma once

#include "fiber/thread_state.hpp"

namespace coir::detail {

/// Leaves the current fiber for `to`, which has a context, and returns when somebody switches back. The caller has
/// set the states of both. Swaps the language_state, exactly once.
void switch_context(thread_state& thread, fiber_core& to) noexcept;

/// The same for a current fiber that is dead. Its stack is released, and its reference to itself dropped, from the
/// other side: by arrived(). Returns if `to` has taken the stack over: then it is the current fiber, and is to be run.
void switch_for_good(thread_state& thread, fiber_core& to) noexcept;

/// Gives a fiber that has never run a stack with a frame that runs it: a vacant one, or one of the pool. Control words
/// of floating point are those of `switcher`. Strong guarantee: throws fiber_error or std::bad_alloc, and it is still
/// unstarted.
void prepare_start(thread_state& thread, fiber_core& fiber, const fiber_core& switcher);

/// To be called by a fiber that has been switched to, once it has taken its mail.
void arrived_slowly(thread_state& thread, bool thrown);
inline void arrived(thread_state& thread, bool thrown = false) {
    if (thread.corpse || thread.trace) [[unlikely]]
        arrived_slowly(thread, thrown);
}

/// The half of it that a hub's loop needs.
void reap(thread_state& thread) noexcept;

}  // namespace coir::detail
