// What a switch costs is not in the textbook; what was measured decides the shape of this file.
//
// - ontop_fcontext, not jump_fcontext: the jump ends in `jmp`, so that each frame that returns afterwards is
//   mispredicted; the function that runs on top of the target's stack ends in `ret` and keeps the prediction whole.
// - On x86-64 the context holds MXCSR, and loading one whose sticky exception flags differ stalls for some 60 ns. So
//   the current flags are copied into the target's before the jump: sticky flags are the thread's, rounding mode and
//   masks the fiber's.
// - The exception globals are swapped here and nowhere else. Boost.Context's own `fiber` class swaps them too from
//   1.88 on; the raw calls do not, in any version.
#include "fiber/switch.hpp"

#include "fiber/lifecycle.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <cstring>
#include <utility>

namespace coir::detail {

namespace {

namespace raw = boost::context::detail;

COIR_SWITCH_FUNCTION raw::transfer_t save_origin(raw::transfer_t t) noexcept {
    static_cast<fiber_core*>(t.data)->context = t.fctx;
    return t;
}

#if defined(__x86_64__)
constexpr unsigned sticky_flags = 0x3f;
constexpr unsigned rounding_bit = 0x2000;

inline unsigned read_mxcsr() noexcept {
    unsigned word;
    asm volatile("stmxcsr %0" : "=m"(word));
    return word;
}

COIR_SWITCH_FUNCTION raw::transfer_t pass(raw::transfer_t t) noexcept { return t; }

COIR_SWITCH_FUNCTION void probe_entry(raw::transfer_t t) noexcept {
    const unsigned other_rounding = read_mxcsr() ^ rounding_bit;
    asm volatile("ldmxcsr %0" : : "m"(other_rounding));
    raw::ontop_fcontext(t.fctx, nullptr, pass);
    __builtin_unreachable();
}

/// Whether a saved context starts with MXCSR: looks at one that was left with a rounding mode of its own.
COIR_SWITCH_FUNCTION bool mxcsr_leads_context() noexcept {
    alignas(16) static char room[4096];
    const unsigned before = read_mxcsr();
    const auto t = raw::jump_fcontext(raw::make_fcontext(room + sizeof room, sizeof room, probe_entry), nullptr);
    unsigned first_word;
    std::memcpy(&first_word, t.fctx, sizeof first_word);
    return ((first_word ^ before) & ~sticky_flags) == rounding_bit && read_mxcsr() == before;
}

// Until it has been initialised, and where the layout is another, the jump is simply left as it is.
const bool sticky_flags_are_carried = mxcsr_leads_context();

[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void carry_sticky_flags(void* context) noexcept {
    if (!sticky_flags_are_carried) return;
    unsigned saved;
    std::memcpy(&saved, context, sizeof saved);
    saved = (saved & ~sticky_flags) | (read_mxcsr() & sticky_flags);
    std::memcpy(context, &saved, sizeof saved);
}
#else
inline void carry_sticky_flags(void*) noexcept {}
#endif

[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void swap_language_state(thread_state& thread, fiber_core& from,
                                                                           const fiber_core& to) noexcept {
    from.language = {thread.exceptions->caught, thread.exceptions->uncaught, *thread.error_number};
    thread.exceptions->caught = to.language.caught;
    thread.exceptions->uncaught = to.language.uncaught;
    *thread.error_number = to.language.error_number;
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

/// The first thing on the other side.
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

[[noreturn]] void run_fiber(thread_state& thread) {
    message words = thread.current->run();
    finish_current(thread, std::move(words));
}

// Not noexcept: pthread_exit unwinds through it.
COIR_SWITCH_FUNCTION void fiber_entry(raw::transfer_t) {
    settle(*this_thread_state, true);
    run_fiber(*this_thread_state);
}

}  // namespace

COIR_SWITCH_FUNCTION void switch_context(thread_state& thread, fiber_core& to) noexcept {
    fiber_core& from = *thread.current;
    swap_language_state(thread, from, to);
    thread.previous = &from;
    thread.current = &to;
    carry_sticky_flags(to.context);
    announce(from, to);
    raw::ontop_fcontext(to.context, &from, save_origin);
    settle(thread, false);
}

void switch_for_good(thread_state& thread, fiber_core& to) noexcept {
    thread.corpse = thread.current;
    switch_context(thread, to);
    __builtin_unreachable();
}

void prepare_start(thread_state& thread, fiber_core& fiber) {
    stack_slot& stack = thread.stacks.acquire(fiber.stack_size);
    fiber.stack = &stack;
    char* top = stack.top();
    fiber.context = raw::make_fcontext(top, static_cast<std::size_t>(top - stack.low), fiber_entry);
    fiber.started.store(true, std::memory_order_relaxed);
}

void reap(thread_state& thread) noexcept {
    fiber_core* dead = std::exchange(thread.corpse, nullptr);
    if (!dead) return;
    thread.stacks.release(*std::exchange(dead->stack, nullptr));
    if (dead->owns_itself) dead->drop_ref();
}

void arrived_slowly(thread_state& thread, bool thrown) {
    if (!thread.trace || thread.current->is_loop) return reap(thread);
    const fiber origin{ref<fiber_core>(thread.previous)};
    const fiber target{ref<fiber_core>(thread.current)};
    reap(thread);
    if (thread.is_tracing) return;  // what the callback itself does
    const std::shared_ptr<trace_callback> callback = thread.trace;
    thread.is_tracing = true;
    try {
        (*callback)(thrown ? trace_event::thrown : trace_event::switched, origin, target);
    } catch (...) {
        thread.is_tracing = false;
        if (thread.trace == callback) thread.trace = nullptr;
        throw;
    }
    thread.is_tracing = false;
}

}  // namespace coir::detail
