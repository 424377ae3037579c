#include "fiber/switch.hpp"

#include "fiber/lifecycle.hpp"

#include <utility>

namespace coir::detail {

namespace {

namespace raw = boost::context::detail;

/// pthread_exit unwinds the fiber that calls it, and then the thread goes on at the very start of its own stack: what
/// the main fiber has there, and waits with, is gone. From here on it accepts no switch.
struct abandon_main {
    ~abandon_main() {
        if (thread.sched) thread.sched->abandon(*thread.main);
        thread.main->waiting = nullptr;
        thread.main->set_state(fiber_state::running);
        forget_frames(thread.main_stack.low, thread.main_stack.size);
    }
    thread_state& thread;
};

/// Leaves the current fiber, which is dead. Its stack is released, and its reference to itself dropped, from the other
/// side: by arrived(). Returns if `to` has taken the stack over: then it is the current fiber, and is to be run.
[[gnu::always_inline]] inline void switch_for_good(thread_state& thread, fiber_core& to) noexcept {
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

/// One fiber, and after it those that take its stack over. It is left from this very frame, so that the processor's
/// stack of return addresses is, for whoever goes on, as that one has left it.
[[noreturn]] void run_fibers(thread_state& thread) {
    const abandon_main when_unwound{thread};
    for (;;) {
        fiber_core& next = finish_current(thread, thread.current->run());
        switch_for_good(thread, next);
    }
}

// Not noexcept: pthread_exit unwinds through it.
COIR_SWITCH_FUNCTION void fiber_entry(raw::transfer_t) {
    settle(*this_thread_state, true);
    run_fibers(*this_thread_state);
}

}  // namespace

COIR_SWITCH_FUNCTION raw::transfer_t save_origin(raw::transfer_t t) noexcept {
    keep_sticky_flags(*this_thread_state, t.fctx);
    static_cast<fiber_core*>(t.data)->context = t.fctx;
    return t;
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

void reap_corpse(thread_state& thread) noexcept {
    fiber_core* dead = std::exchange(thread.corpse, nullptr);
    if (dead->stack) thread.stacks.release(*std::exchange(dead->stack, nullptr));
    if (dead->owns_itself) dead->drop_ref();
}

void arrived_traced(thread_state& thread, bool thrown) {
    if (thread.current->is_loop) return reap(thread);
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
