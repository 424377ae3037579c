#include "fiber/lifecycle.hpp"

#include "fiber/fiber_locals.hpp"
#include "fiber/switch.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <utility>

namespace coir::detail {

namespace {

constexpr unsigned most_exits = 100;

/// While the current fiber waits for `target` to switch back, the two know each other: that is how a cancellation
/// finds the fiber that is really blocked, and an end the last switcher.
void link_call(fiber_core& self, fiber_core& target) noexcept {
    if (target.switcher) target.switcher->switched_to = nullptr;
    target.switcher = &self;
    self.switched_to = &target;
}

void unlink_call(fiber_core& self) noexcept {
    if (!self.switched_to) return;
    self.switched_to->switcher = nullptr;
    self.switched_to = nullptr;
}

/// Nobody is away on a call into `self` any more.
fiber_core* take_switcher(fiber_core& self) noexcept {
    fiber_core* caller = std::exchange(self.switcher, nullptr);
    if (caller) caller->switched_to = nullptr;
    return caller;
}

/// Rule 3: the nearest live ancestor; when that one cannot accept, the last switcher, as long as it still waits.
fiber_core* heir_of(thread_state& thread, fiber_core& dead, fiber_core* last_switcher) noexcept {
    if (!dead.is_task()) {
        fiber_core& ancestor = live_ancestor(thread, dead);
        if (accepts_switch(ancestor) || &ancestor == thread.current) return &ancestor;
    }
    return last_switcher && accepts_switch(*last_switcher) ? last_switcher : nullptr;
}

/// Makes an heir ready to be switched to. An unstarted one that cannot be started hands its error on to its own
/// parent.
fiber_core* ready_heir(thread_state& thread, fiber_core* heir, message& words) noexcept {
    while (heir && heir->state() == fiber_state::unstarted) {
        try {
            start(thread, *heir);
            return heir;
        } catch (...) {
            words = {{}, std::current_exception()};
            heir = &live_ancestor(thread, *heir);
            if (!accepts_switch(*heir)) heir = nullptr;
        }
    }
    return heir;
}

/// Whom to switch to at the end of the current fiber, with `words` in the mail if it is an heir. `words` must
/// outlive the switch.
fiber_core& successor(thread_state& thread, message& words) noexcept {
    fiber_core& self = *thread.current;
    fiber_core* heir = ready_heir(thread, heir_of(thread, self, take_switcher(self)), words);
    if (heir) {
        thread.mail = &words;
        heir->set_state(fiber_state::running);
        return *heir;
    }
    if (words.error) thread.report(self.name(), std::move(words.error));
    return thread.sched->next_to_run();
}

void unwind(thread_state& thread, fiber_core& fiber) noexcept {
    const ref<fiber_core> keep(&fiber);
    fiber_core* former_parent = std::exchange(fiber.parent, thread.current);
    thread.current->add_ref();
    try {
        exchange(thread, fiber, {{}, std::make_exception_ptr(fiber_exit{})}, switch_kind::call);
    } catch (...) {
        thread.report(fiber.name(), std::current_exception());
    }
    std::swap(fiber.parent, former_parent);
    if (former_parent) former_parent->drop_ref();
}

}  // namespace

fiber_core& live_ancestor(thread_state& thread, fiber_core& fiber) noexcept {
    if (fiber.is_main) return fiber;
    while (fiber.parent && fiber.parent->is_dead() && !fiber.parent->is_main) {
        fiber_core* dead = fiber.parent;
        fiber.parent = dead->parent;
        if (fiber.parent) fiber.parent->add_ref();
        dead->drop_ref();
    }
    return fiber.parent ? *fiber.parent : *thread.main;
}

bool accepts_switch(const fiber_core& fiber) noexcept {
    const fiber_state state = fiber.state();
    return state == fiber_state::suspended || (state == fiber_state::unstarted && !fiber.is_task());
}

void start(thread_state& thread, fiber_core& fiber) {
    thread_state* nobody = nullptr;
    if (!fiber.owner.compare_exchange_strong(nobody, &thread) && nobody != &thread) {
        throw fiber_error(fmt::format("fiber \"{}\" belongs to another thread, which ran it first", fiber.name()));
    }
    try {
        prepare_start(thread, fiber);
    } catch (...) {
        fiber.owner.store(nullptr);
        throw;
    }
    if (!fiber.is_linked()) thread.fibers.push_back(fiber);
    if (!fiber.is_task() && fiber.parent && fiber.parent->owner && fiber.parent->owner != &thread) {
        thread.current->add_ref();
        std::exchange(fiber.parent, thread.current)->drop_ref();
    }
}

value exchange(thread_state& thread, fiber_core& target, message mail, switch_kind kind) {
    fiber_core& self = *thread.current;
    if (kind == switch_kind::call) link_call(self, target);
    self.set_state(fiber_state::suspended);
    target.set_state(fiber_state::running);
    thread.mail = &mail;
    switch_context(thread, target);
    unlink_call(self);
    message got = std::move(*thread.mail);
    arrived(thread, got.error != nullptr);
    return got.open();
}

void finish_current(thread_state& thread, message words) noexcept {
    fiber_core& self = *thread.current;
    destroy_locals(self);
    self.set_state(fiber_state::dead);
    self.unlink();
    thread.last_words = std::move(words);
    switch_for_good(thread, successor(thread, thread.last_words));
}

value finish_unstarted(thread_state& thread, fiber_core& fiber, message words) {
    fiber.set_state(fiber_state::dead);
    fiber_core* heir = ready_heir(thread, heir_of(thread, fiber, nullptr), words);
    if (!heir || heir == thread.current) return words.open();
    return exchange(thread, *heir, std::move(words), switch_kind::call);
}

void exit_if_orphaned(thread_state& thread) {
    fiber_core& self = *thread.current;
    if (!self.exiting || thread.exceptions->uncaught > self.entry_uncaught) return;
    if (++self.exits <= most_exits) throw fiber_exit{};
    thread.report(self.name(), std::make_exception_ptr(fiber_error(fmt::format(
                                   "fiber \"{}\" ignored fiber_exit {} times; its stack is kept and it never runs "
                                   "again: let fiber_exit pass, or rethrow it",
                                   self.name(), most_exits))));
    self.unlink();
    self.set_state(fiber_state::dead);
    message nothing;
    switch_context(thread, successor(thread, nothing));
    __builtin_unreachable();
}

void lay_to_rest(thread_state& thread, fiber_core& fiber) noexcept {
    fiber.exiting = true;
    fiber.owns_itself = true;
    switch (fiber.state()) {
        case fiber_state::suspended: return unwind(thread, fiber);
        case fiber_state::parked: return thread.sched->interrupt_wait(fiber);
        case fiber_state::dead: return fiber.drop_ref();
        default: return;  // it finds out at its next suspension
    }
}

void empty_graveyard(thread_state& thread) noexcept {
    thread.graveyard_lock.lock();
    fiber_core* next = std::exchange(thread.graveyard, nullptr);
    thread.graveyard_lock.unlock();
    while (next) {
        fiber_core& fiber = *std::exchange(next, next->next_buried);
        lay_to_rest(thread, fiber);
    }
}

void unwind_suspended(thread_state& thread) noexcept {
    for (bool found = true; found;) {
        found = false;
        for (fiber_core& fiber : thread.fibers) {
            if (fiber.state() != fiber_state::suspended || fiber.exiting) continue;
            fiber.exiting = true;
            unwind(thread, fiber);
            found = true;
            break;
        }
    }
}

}  // namespace coir::detail
