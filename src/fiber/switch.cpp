// What a switch costs is not in the textbook; what was measured decides the shape of this file.
//
// - ontop_fcontext, not jump_fcontext: the jump ends in `jmp`, so that each frame that returns afterwards is
//   mispredicted; the function that runs on top of the target's stack ends in `ret` and keeps the prediction whole.
// - On x86-64 the context holds MXCSR, and loading one whose sticky exception flags differ stalls for some 60 ns. So
//   the flags are carried along: sticky flags are the thread's, rounding mode and masks the fiber's. To read MXCSR
//   costs a third of a switch; but the jump leaves it in the memory of the context, and flags seldom change. So the
//   target gets those of the last switch, and only if the fiber that is left turns out to have changed them, they are
//   loaded again, on the other side.
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

/// Before the jump: the target will load the flags that the last jump left.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void offer_sticky_flags(const thread_state& thread,
                                                                          void* target) noexcept {
    if (!sticky_flags_are_carried) return;
    unsigned word;
    std::memcpy(&word, target, sizeof word);
    const unsigned differing = (word ^ thread.float_flags) & sticky_flags;
    if (differing == 0) [[likely]]
        return;
    word ^= differing;
    std::memcpy(target, &word, sizeof word);
}

/// After it: what the origin has raised or cleared since then holds for the thread.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void keep_sticky_flags(thread_state& thread,
                                                                         const void* origin) noexcept {
    if (!sticky_flags_are_carried) return;
    unsigned word;
    std::memcpy(&word, origin, sizeof word);
    if (((word ^ thread.float_flags) & sticky_flags) == 0) [[likely]]
        return;
    thread.float_flags = word & sticky_flags;
    const unsigned now = (read_mxcsr() & ~sticky_flags) | thread.float_flags;
    asm volatile("ldmxcsr %0" : : "m"(now));
}

/// What a context starts with: rounding mode, precision and masks of both units.
struct float_control {
    unsigned mxcsr;
    unsigned short x87;
};
constexpr std::size_t float_control_size = sizeof(unsigned) + sizeof(unsigned short);

/// A new context gets the control words of `origin`, which is not running.
void copy_float_control(const fiber_core& origin, void* context) noexcept {
    if (sticky_flags_are_carried) std::memcpy(context, origin.context, float_control_size);
}

/// Loads them, where they are not what is loaded already.
void load_float_control(const fiber_core& origin) noexcept {
    if (!sticky_flags_are_carried) return;
    float_control wanted, now{read_mxcsr(), 0};
    std::memcpy(&wanted, origin.context, float_control_size);
    asm volatile("fnstcw %0" : "=m"(now.x87));
    if (now.x87 != wanted.x87) asm volatile("fldcw %0" : : "m"(wanted.x87));
    if (((now.mxcsr ^ wanted.mxcsr) & ~sticky_flags) == 0) return;
    wanted.mxcsr = (wanted.mxcsr & ~sticky_flags) | (now.mxcsr & sticky_flags);
    asm volatile("ldmxcsr %0" : : "m"(wanted.mxcsr));
}
#else
inline void offer_sticky_flags(const thread_state&, void*) noexcept {}
inline void keep_sticky_flags(thread_state&, const void*) noexcept {}
inline void copy_float_control(const fiber_core&, void*) noexcept {}
inline void load_float_control(const fiber_core&) noexcept {}
#endif

/// Runs on the target's stack, first of all.
COIR_SWITCH_FUNCTION raw::transfer_t save_origin(raw::transfer_t t) noexcept {
    keep_sticky_flags(*this_thread_state, t.fctx);
    static_cast<fiber_core*>(t.data)->context = t.fctx;
    return t;
}

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

/// One fiber, and after it those that take its stack over.
[[noreturn]] void run_fibers(thread_state& thread) {
    for (;;) {
        message words = thread.current->run();
        finish_current(thread, std::move(words));
    }
}

// Not noexcept: pthread_exit unwinds through it.
COIR_SWITCH_FUNCTION void fiber_entry(raw::transfer_t) {
    settle(*this_thread_state, true);
    run_fibers(*this_thread_state);
}

}  // namespace

COIR_SWITCH_FUNCTION void switch_context(thread_state& thread, fiber_core& to) noexcept {
    fiber_core& from = *thread.current;
    swap_language_state(thread, from, to);
    thread.previous = &from;
    thread.current = &to;
    offer_sticky_flags(thread, to.context);
    announce(from, to);
    raw::ontop_fcontext(to.context, &from, save_origin);
    settle(thread, false);
}

void switch_for_good(thread_state& thread, fiber_core& to) noexcept {
    fiber_core& from = *thread.current;
    thread.corpse = &from;
    if (to.stack != from.stack) {
        switch_context(thread, to);
        __builtin_unreachable();
    }
    from.stack = nullptr;
    swap_language_state(thread, from, to);
    thread.previous = &from;
    thread.current = &to;
    load_float_control(*thread.main);
}

void prepare_start(thread_state& thread, fiber_core& fiber, const fiber_core& switcher) {
    if (thread.vacant && thread.vacant->size == fiber.stack_size) {
        fiber.stack = std::exchange(thread.vacant, nullptr);
    } else {
        stack_slot& stack = thread.stacks.acquire(fiber.stack_size);
        fiber.stack = &stack;
        char* top = stack.top();
        fiber.context = raw::make_fcontext(top, static_cast<std::size_t>(top - stack.low), fiber_entry);
        if (&switcher != thread.current) copy_float_control(switcher, fiber.context);
    }
    fiber.started.store(true, std::memory_order_relaxed);
}

void reap(thread_state& thread) noexcept {
    fiber_core* dead = std::exchange(thread.corpse, nullptr);
    if (!dead) return;
    if (dead->stack) thread.stacks.release(*std::exchange(dead->stack, nullptr));
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
