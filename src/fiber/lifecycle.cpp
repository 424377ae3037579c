#include "fiber/lifecycle.hpp"

#include "fiber/exchange.hpp"
#include "fiber/fiber_locals.hpp"
#include "fiber/start.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <utility>

namespace coir::detail {

namespace {

namespace raw = boost::context::detail;

constexpr unsigned most_exits = 100;
constexpr const char* ignored_exits =
    "ignored fiber_exit 100 times and never runs again: let fiber_exit pass, or rethrow it";

/// Rule 3: the nearest live ancestor; when that one cannot accept, the last switcher, as long as it still waits.
fiber_core* heir_of(thread_state& thread, fiber_core& dead, fiber_core* last_switcher) noexcept {
    if (!dead.is_task()) {
        fiber_core& ancestor = live_ancestor(thread, dead);
        if (accepts_switch(ancestor) || &ancestor == thread.current) return &ancestor;
    }
    return last_switcher && accepts_switch(*last_switcher) ? last_switcher : nullptr;
}

/// A task that nobody has switched to has none, and no last words.
bool may_have_heir(const fiber_core& fiber) noexcept { return !fiber.is_task() || fiber.switcher; }

[[noreturn, gnu::noinline]] void throw_claimed(const fiber_core& fiber) {
    throw fiber_error(fmt::format("fiber \"{}\" belongs to another thread, which ran it first", fiber.name()));
}

/// Takes an unstarted fiber for this thread. Throws when another was first.
[[gnu::always_inline]] inline void claim(thread_state& thread, fiber_core& fiber, fiber_core& switcher) {
    thread_state* nobody = nullptr;
    if (fiber.owner.load(std::memory_order_acquire) != &thread &&
        !fiber.owner.compare_exchange_strong(nobody, &thread)) {
        throw_claimed(fiber);
    }
    const thread_state* home = fiber.parent ? fiber.parent->owner.load() : nullptr;
    if (home && home != &thread) {
        switcher.add_link();
        std::exchange(fiber.parent, &switcher)->drop_link();
    }
}

void kill_unstarted(thread_state& thread, fiber_core& fiber) noexcept {
    fiber.owner_number = thread.number;
    fiber.set_state(fiber_state::dead);
}

/// Makes an heir ready to be switched to. An unstarted one is started by a value and killed by an error; that, and
/// the error of one that cannot be started, goes on to its own parent.
fiber_core* ready_heir(thread_state& thread, fiber_core* heir, message& words) noexcept {
    while (heir && heir->state() == fiber_state::unstarted) {
        try {
            if (words.error) {
                claim(thread, *heir, *thread.main);
                kill_unstarted(thread, *heir);
            } else {
                start(thread, *heir, *thread.main);
                return heir;
            }
        } catch (...) {
            words = {{}, std::current_exception()};
        }
        heir = heir_of(thread, *heir, nullptr);
    }
    return heir;
}

/// Leaves `words` in the mail of whoever gets them. Null, and an error is reported, if that is nobody.
fiber_core* bequeath(thread_state& thread, message& words) noexcept {
    fiber_core& self = *thread.current;
    fiber_core* heir = ready_heir(thread, heir_of(thread, self, take_switcher(self)), words);
    if (heir) {
        thread.last_words = std::move(words.sent);
        thread.mail = &thread.last_words;
        thread.mail_error = std::move(words.error);
        heir->set_state(fiber_state::running);
    } else {
        words.sent.reset();  // another thread has started the heir meanwhile
        if (words.error) thread.report(self.name(), std::move(words.error));
    }
    return heir;
}

/// Whom to switch to at the end of the current fiber. If that is a task that the hub starts now, it may take over the
/// stack `vacant`, instead of a switch to another one.
[[gnu::always_inline]] inline fiber_core& successor(thread_state& thread, message& words, stack_slot* vacant) noexcept {
    if (may_have_heir(*thread.current)) {
        if (fiber_core* heir = bequeath(thread, words)) return *heir;
    }
    thread.vacant = vacant;
    fiber_core& next = thread.sched->next_to_run();
    thread.vacant = nullptr;
    return next;
}

/// Sends fiber_exit into a suspended fiber, again as long as it comes back alive; one that is suspended under a
/// shield, in a destructor while it unwinds, or while it unwinds another, is only sent on.
void unwind(thread_state& thread, fiber_core& fiber) noexcept {
    fiber_core& self = *thread.current;
    const bool did_so_before = std::exchange(self.unwinds_another, true);
    const bool was_borrowed = std::exchange(fiber.parent_is_borrowed, true);
    fiber_core* former_parent = std::exchange(fiber.parent, &self);
    fiber.add_ref();
    while (fiber.state() == fiber_state::suspended) {
        if (fiber.exits++ >= most_exits) {
            give_up_on(thread, fiber, ignored_exits);
            break;
        }
        message mail;
        if (fiber.is_interruptible(fiber.language.uncaught) && !fiber.unwinds_another) {
            mail.error = std::make_exception_ptr(fiber_exit{});
        }
        try {
            exchange(thread, fiber, std::move(mail), switch_kind::call);
        } catch (...) {
            thread.report(fiber.name(), std::current_exception());
        }
    }
    if (fiber.parent_is_borrowed) {
        fiber.parent = former_parent;
        fiber.parent_is_borrowed = was_borrowed;
    } else if (former_parent && !was_borrowed) {
        former_parent->drop_link();  // its body has set another parent
    }
    fiber.drop_ref();
    self.unwinds_another = did_so_before;
}

/// Ends the current fiber: its parent, or who takes the parent's place, gets `words`. Whom to switch to, for good; or who
/// has taken over its stack, and is to be run there. The words are empty then.
fiber_core& finish_current(thread_state& thread, message& words) noexcept {
    fiber_core& self = *thread.current;
    if (self.stack->locals) destroy_locals(*self.stack);
    // What nobody inherits goes while it is alive: a destructor may suspend.
    while (words.sent.has_value() && !heir_of(thread, self, self.switcher)) words.sent = {};
    // Once it reads as dead, whoever drops the last handle, on any thread, frees it: not before it has been left.
    if (!std::exchange(self.owns_itself, true)) self.add_ref();
    self.set_state(fiber_state::dead);
    self.unlink();
    return successor(thread, words, self.stack);
}

/// pthread_exit unwinds the fiber that calls it, and then the thread goes on at the very start of its own stack: what
/// the main fiber has there, and waits with, is gone. From here on it accepts no switch.
struct abandon_main {
    ~abandon_main() {
        if (thread.sched) thread.sched->abandon(*thread.main);
        thread.main->set_state(fiber_state::running);
        forget_frames(thread.main_stack.low, thread.main_stack.size);
    }
    thread_state& thread;
};

/// Leaves the current fiber, which is dead. Its stack is released, and its reference to itself dropped, from the other
/// side: by arrived(). Returns when there is another fiber to be run on this stack, which is the current one then: `to`,
/// if it has taken the stack over at once, or a later task that has got it from the pool, with the frames that lie on it.
[[gnu::always_inline]] inline void switch_for_good(thread_state& thread, fiber_core& to) noexcept {
    fiber_core& from = *thread.current;
    thread.corpse = &from;
    if (to.stack != from.stack) {
        switch_context<leave::for_good>(thread, to);
        return correct_float_control(thread.loaded_control, *thread.main);
    }
    from.stack = nullptr;
    swap_language_state<leave::for_good>(thread, from, to);
    thread.previous = &from;
    thread.current = &to;
    load_float_control(*thread.main);
    destroy_late_locals(*to.stack);
}

/// One fiber, and after it those that are given its stack. It is left from this very frame, so that the processor's
/// stack of return addresses is, for whoever goes on, as that one has left it.
[[noreturn]] void run_fibers(thread_state& thread) {
    const abandon_main when_unwound{thread};
    message last_words;
    for (;;) {
        thread.current->run(thread, last_words);
        fiber_core& next = finish_current(thread, last_words);
        switch_for_good(thread, next);
    }
}

}  // namespace

// Not noexcept: pthread_exit unwinds through it.
COIR_SWITCH_FUNCTION void fiber_entry(raw::transfer_t t) {
    thread_state& thread = *this_thread_state;
    keep_origin(thread, t.fctx);
    settle(thread, true);
    run_fibers(thread);
}

void give_fresh_stack(thread_state& thread, fiber_core& fiber, const fiber_core& switcher) {
    fiber.stack = &thread.stacks.acquire(fiber.stack_size);
    fiber.context = make_context(*fiber.stack);
    if (&switcher != thread.current) copy_float_control(switcher, fiber.context);
}

fiber_core& live_ancestor(thread_state& thread, fiber_core& fiber) noexcept {
    if (fiber.is_main()) return fiber;
    for (;;) {
        fiber_core* parent = fiber.parent;
        if (!parent) return *thread.main;
        const thread_state* home = parent->owner.load(std::memory_order_acquire);
        if (home && home != &thread) return *thread.main;  // it has moved away
        if (!parent->is_dead()) return *parent;
        if (parent->is_main() || fiber.parent_is_borrowed) return *thread.main;  // of a thread that has ended
        fiber.parent = parent->parent;
        if (fiber.parent) fiber.parent->add_link();
        parent->drop_link();
    }
}

bool accepts_switch(const fiber_core& fiber) noexcept {
    const fiber_state state = fiber.state();
    return state == fiber_state::suspended || (state == fiber_state::unstarted && !fiber.is_task());
}

void start(thread_state& thread, fiber_core& fiber, fiber_core& switcher) {
    claim(thread, fiber, switcher);
    try {
        start_on_some_stack(thread, fiber, switcher);
    } catch (...) {
        if (!fiber.is_task()) fiber.owner.store(nullptr);
        throw;
    }
    if (!fiber.is_linked()) thread.fibers.push_back(fiber);
    if (!fiber.is_task()) fiber.keep_if_let_go();
}

value arrived_with_mail(thread_state& thread) {
    message got = take_mail(thread);
    arrived(thread, got.error != nullptr);
    return got.open();
}

value finish_unstarted(thread_state& thread, fiber_core& fiber, message words) {
    claim(thread, fiber, *thread.current);
    kill_unstarted(thread, fiber);
    fiber_core* heir = ready_heir(thread, heir_of(thread, fiber, nullptr), words);
    if (!heir || heir == thread.current) return words.open();
    return exchange(thread, *heir, std::move(words), switch_kind::call);
}

void exit_orphaned(thread_state& thread) {
    fiber_core& self = *thread.current;
    if (!self.is_interruptible(thread.exceptions->uncaught)) return;
    if (self.exits++ < most_exits) throw fiber_exit{};
    give_up_on(thread, self, ignored_exits);
    message none;
    switch_context(thread, successor(thread, none, nullptr));
    __builtin_unreachable();
}

void give_up_on(thread_state& thread, fiber_core& fiber, std::string_view why) noexcept {
    thread.report(fiber.name(), std::make_exception_ptr(
                                    fiber_error(fmt::format("fiber \"{}\" {}; its stack is kept", fiber.name(), why))));
    fiber.owns_itself = false;
    if (fiber.is_task()) return fiber.end_early(std::make_exception_ptr(task_cancelled(fmt::format("it {}", why))));
    fiber.unlink();
    fiber.set_state(fiber_state::dead);
}

void lay_to_rest(thread_state& thread, fiber_core& fiber) noexcept {
    if (fiber.is_dead()) return fiber.drop_ref();
    fiber.exiting = true;
    fiber.owns_itself = true;
    switch (fiber.state()) {
        case fiber_state::suspended:
            if (fiber.unwinds_another) return;  // as if it ran: two that unwind each other would never come to an end
            return unwind(thread, fiber);
        case fiber_state::parked:
            return thread.sched->interrupt_wait(fiber);
        default:
            return;  // it finds out at its next suspension
    }
}

void empty_graveyard(thread_state& thread) noexcept {
    thread.graveyard_lock.lock();
    fiber_core* next = thread.graveyard.exchange(nullptr);
    thread.graveyard_lock.unlock();
    while (next) {
        fiber_core& fiber = *std::exchange(next, next->next_buried);
        lay_to_rest(thread, fiber);
    }
}

bool waits_to_be_unwound(const fiber_core& fiber) noexcept {
    return fiber.state() == fiber_state::suspended && fiber.exits == 0;
}

void unwind_suspended(thread_state& thread) noexcept {
    for (bool found = true; found;) {
        found = false;
        for (fiber_core& fiber : thread.fibers) {
            if (!waits_to_be_unwound(fiber)) continue;
            fiber.exiting = true;
            unwind(thread, fiber);
            found = true;
            break;
        }
    }
}

}  // namespace coir::detail
