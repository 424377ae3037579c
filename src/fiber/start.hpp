// How a fiber that has never run gets its stack, inlined into who starts tasks.
#pragma once

#include "fiber/float_state.hpp"
#include "fiber/thread_state.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>
#include <utility>

namespace coir::detail {

/// Where each stack begins: runs one fiber, and after it those that are given its stack.
void fiber_entry(boost::context::detail::transfer_t);

/// Whether a fiber can be run from where another one was left for good. What control words that one had can be put right
/// once the jump has loaded them, to those of the main fiber, as a task has; but not if they trap at once. A sanitizer
/// forgets the frames of a fiber that has ended.
inline bool can_go_on(const fiber_core& fiber, const void* left) noexcept {
    return are_frames_kept && fiber.is_task() && float_control_never_traps(left);
}

/// Its control words are those of whoever calls.
inline void* make_context(const stack_slot& stack) noexcept {
    char* top = stack.top();
    return boost::context::detail::make_fcontext(top, static_cast<std::size_t>(top - stack.low), fiber_entry);
}

/// Gives a task the stack of one that has ended, if one is there to go on with: the vacant one, or that which lies where
/// it was left.
[[gnu::always_inline]] inline bool take_over(thread_state& thread, fiber_core& fiber,
                                             const fiber_core& switcher) noexcept {
    if (thread.vacant && thread.vacant->size == fiber.stack_size) {
        fiber.stack = std::exchange(thread.vacant, nullptr);
        return true;
    }
    void* left = thread.stacks.left_on(fiber.stack_size);
    if (!left || !can_go_on(fiber, left)) return false;
    fiber.stack = &thread.stacks.acquire(fiber.stack_size);
    fiber.context = left;
    if (&switcher != thread.current) set_float_control(left, float_control_of(switcher.context));
    thread.loaded_control = float_control_of(left);
    return true;
}

/// Gives a fiber one of the pool, and a frame that runs it. Control words of floating point are those of `switcher`.
/// Strong guarantee: throws fiber_error or std::bad_alloc, and it is still unstarted.
void give_fresh_stack(thread_state& thread, fiber_core& fiber, const fiber_core& switcher);

/// Of one that has a stack.
inline void count_as_started(thread_state& thread, fiber_core& fiber) noexcept {
    fiber.owner_number = thread.number;
    prepare_current(fiber);
    fiber.set_started();
}

/// Either, with the same guarantee.
inline void start_on_some_stack(thread_state& thread, fiber_core& fiber, const fiber_core& switcher) {
    if (!take_over(thread, fiber, switcher)) give_fresh_stack(thread, fiber, switcher);
    count_as_started(thread, fiber);
}

}  // namespace coir::detail
