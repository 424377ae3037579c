// How fibers begin and end: who gets their last words, and how one is unwound that nobody holds any more.
#pragma once

#include "fiber/thread_state.hpp"

namespace coir::detail {

/// The nearest live ancestor on this thread; skips, and unhooks, dead ones. A main fiber has none, and is its own.
fiber_core& live_ancestor(thread_state& thread, fiber_core& fiber) noexcept;

/// Whether `fiber` can be switched to now: suspended, or an unstarted one that is not a task.
bool accepts_switch(const fiber_core& fiber) noexcept;

/// Claims a fiber for this thread and prepares its first run. One that comes from another thread gets `switcher` as
/// its parent. Throws fiber_error when another thread was first, or as give_fresh_stack() does; the fiber is then
/// unstarted as before.
void start(thread_state& thread, fiber_core& fiber, fiber_core& switcher);

/// Ends a fiber that has never run: its parent gets `words`, and the caller what is sent to it. Throws as start().
value finish_unstarted(thread_state& thread, fiber_core& fiber, message words);

/// Throws fiber_exit into the current fiber if its last handle is gone, but not while it unwinds. One that has
/// ignored a hundred of them is reported, and never runs again.
void exit_orphaned(thread_state& thread);
inline void exit_if_orphaned(thread_state& thread) {
    if (thread.current->exiting) [[unlikely]]
        exit_orphaned(thread);
}

/// On the owner's thread: the last handle of a live fiber is gone, whose reference it now is.
void lay_to_rest(thread_state& thread, fiber_core& fiber) noexcept;

/// Unwinds what other threads have dropped. Not on a loop's stack.
void empty_graveyard(thread_state& thread) noexcept;

/// Suspended, and nobody is at it.
bool waits_to_be_unwound(const fiber_core& fiber) noexcept;

/// Unwinds all suspended fibers of a thread that is about to end.
void unwind_suspended(thread_state& thread) noexcept;

/// Counts a fiber as dead that will not unwind. Its stack is kept: a stack with live frames is never freed.
void give_up_on(thread_state& thread, fiber_core& fiber, std::string_view why) noexcept;

}  // namespace coir::detail
