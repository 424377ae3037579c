// The one switch between stacks, on Boost.Context's raw fcontext calls, and what stands directly around it.
//
// What a switch costs is not in the textbook; what was measured decides the shape of this file.
// - The jump is no call: hop.hpp says why.
// - Each frame that returns after a switch may be mispredicted all the same, when the fiber that was left had other
//   frames there. So the switch has none of its own: it is inlined into who asks for it.
// - The exception globals are swapped here and nowhere else. Boost.Context's own `fiber` class swaps them too from
//   1.88 on; the raw calls do not, in any version.
#pragma once

#include "fiber/float_state.hpp"
#include "fiber/hop.hpp"
#include "fiber/thread_state.hpp"

namespace coir::detail {

enum class leave { for_now, for_good };

/// Nothing of a fiber that is left for good is kept.
template <leave How>
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void swap_language_state(thread_state& thread, fiber_core& from,
                                                                           const fiber_core& to) noexcept {
    exception_globals& exceptions = *thread.exceptions;
    int& error_number = *thread.error_number;
    if constexpr (How == leave::for_now) from.language = {exceptions.caught, exceptions.uncaught, error_number};
    exceptions.caught = to.language.caught;
    exceptions.uncaught = to.language.uncaught;
    error_number = to.language.error_number;
}

/// The last thing before a jump, in a function that is not instrumented.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void announce([[maybe_unused]] fiber_core& from,
                                                                [[maybe_unused]] fiber_core& to) noexcept {
#ifdef COIR_ASAN
    void** keep = from.is_dead() ? nullptr : &from.stack->sanitizer.fake_stack;
    __sanitizer_start_switch_fiber(keep, to.stack->low, to.stack->size);
#endif
#ifdef COIR_TSAN
    __tsan_switch_to_fiber(to.stack->sanitizer.fiber, 0);
#endif
}

/// The first of all on the other side.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void keep_origin(thread_state& thread, void* origin) noexcept {
    thread.previous->context = origin;
    keep_sticky_flags(thread, origin);
}

/// The second: the sanitizers are told where one is now.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void settle([[maybe_unused]] thread_state& thread,
                                                              [[maybe_unused]] bool is_first_run) noexcept {
#ifdef COIR_ASAN
    stack_slot& own = *thread.current->stack;
    stack_slot& other = *thread.previous->stack;
    const void* low = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(is_first_run ? nullptr : own.sanitizer.fake_stack, &low, &size);
    if (!other.low) {  // a main fiber, left for the first time; what its stack refers to is no leak
        other.low = const_cast<char*>(static_cast<const char*>(low));
        other.size = size;
        __lsan_register_root_region(other.low, other.size);
    }
#endif
}

/// Leaves the current fiber for `to`, which has a context, and returns when somebody switches back. The caller has
/// set the states of both. Swaps the language_state, exactly once.
template <leave How = leave::for_now>
COIR_SWITCH_INLINE void switch_context(thread_state& thread, fiber_core& to) noexcept {
    fiber_core& from = *thread.current;
    swap_language_state<How>(thread, from, to);
    thread.previous = &from;
    thread.current = &to;
    offer_sticky_flags(thread, to.context);
    announce(from, to);
    keep_origin(thread, hop(to.context));
    settle(thread, false);
}

/// Releases what the fiber that was left has kept until then, if it has ended. All that a hub's loop does on arrival.
void reap_corpse(thread_state& thread) noexcept;
inline void reap(thread_state& thread) noexcept {
    if (thread.corpse) [[unlikely]]
        reap_corpse(thread);
}

/// To be called by a fiber that has been switched to, once it has taken its mail.
void arrived_traced(thread_state& thread, bool thrown);
inline void arrived(thread_state& thread, bool thrown = false) {
    if (thread.trace) [[unlikely]]
        return arrived_traced(thread, thrown);
    reap(thread);
}

}  // namespace coir::detail
