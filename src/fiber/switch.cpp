#include "fiber/switch.hpp"

#include "fiber/fiber_locals.hpp"

#include <utility>

namespace coir::detail {

void reap_corpse(thread_state& thread) noexcept {
    fiber_core* dead = std::exchange(thread.corpse, nullptr);
    if (stack_slot* stack = std::exchange(dead->stack, nullptr)) {
        destroy_late_locals(*stack);
        thread.stacks.release(*stack, dead->context);
    }
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
