// Who holds a fiber: handles, which keep it alive, and links of children, which keep its memory only. So a parent that is
// not alive may be linked and have no handle, and get one again, or be started without.
#include "fiber/lifecycle.hpp"

#include <mutex>
#include <utility>

namespace coir::detail {

ref<fiber_core> fiber_core::handle_of(fiber_core& core) noexcept {
    const std::lock_guard guard(core.handles_lock_);
    if (!std::exchange(core.was_let_go_, false)) return ref<fiber_core>(&core);
    core.add_link();
    return ref<fiber_core>::adopt(&core);
}

void fiber_core::keep_if_let_go() noexcept {
    const std::lock_guard guard(handles_lock_);
    if (!std::exchange(was_let_go_, false)) return;
    add_link();
    owns_itself = true;
    exiting = true;
}

[[gnu::always_inline]] inline fiber_core::last_drop fiber_core::drop_last(bool has_children) noexcept {
    const bool is_alive = is_started() && !is_dead();
    // A handle has come back meanwhile; or it has ended, on its own thread, and holds itself until it has been left.
    if (!refs.drop()) return last_drop::of_none;
    if (is_alive) return last_drop::of_living;
    was_let_go_ = has_children;
    return last_drop::of_linked;
}

/// What the drop of the last handle was, if it still was the last: of one that is alive, or that at most a child can
/// lead back to.
[[gnu::always_inline]] inline fiber_core::last_drop fiber_core::let_go() noexcept {
    if (links.is_sole()) return drop_last(false);
    const std::lock_guard guard(handles_lock_);
    return drop_last(true);
}

/// The reference of the last handle is now the fiber's own, if it lives; or a child's to give back; or goes with it.
void fiber_core::release_last(fiber_core* core) noexcept {
    // Nearly always so for a task: it has ended, no child is linked to it, its stack has been left (until then it holds
    // itself), and it has no parent. In this order: a child may give a handle back, and let go of its link after that.
    const bool is_gone = core->is_dead() && core->links.is_sole() && core->refs.is_sole() && !core->parent;
    is_gone ? core->destroy() : release_related(core);
}

void fiber_core::release_related(fiber_core* core) noexcept {
    const last_drop drop = core->let_go();
    if (drop == last_drop::of_none) return;
    if (drop == last_drop::of_linked) {
        if (!core->links.drop()) return;
        return core->parent ? destroy_chain(core) : core->destroy();
    }
    thread_state* owner = core->owner;
    if (owner == this_thread_state && !owner->current->is_loop) {
        lay_to_rest(*owner, *core);
    } else {
        owner->bury(*core);
    }
}

/// One after the other: a chain of dead parents may be long.
void fiber_core::destroy_chain(fiber_core* core) noexcept {
    while (core) {
        fiber_core* parent = std::exchange(core->parent, nullptr);
        core->destroy();
        core = parent && parent->links.drop() ? parent : nullptr;
    }
}

}  // namespace coir::detail
