// How a hub ends with its thread, and how it starts anew in the child of a fork.
#include "fiber/fiber_locals.hpp"
#include "fiber/lifecycle.hpp"
#include "fiber/switch.hpp"
#include "hub/deadlock.hpp"
#include "hub/foreign_watch.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <string>
#include <utility>

namespace coir::detail {

std::exception_ptr stayed_behind() {
    return std::make_exception_ptr(task_cancelled("the task stayed behind in the parent of a fork"));
}

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 2s;

std::atomic<std::uint32_t> forks{0};

void hub_after_fork() noexcept {
    ++forks;
    lose_other_threads();
    hub_core* hub = hub_core::of_this_thread();
    forget_stuck_threads(hub != nullptr);
    if (hub) hub->after_fork();
}

/// Unwinds on a fiber of its own, never on the loop, what lies in the graveyard, and at the end of the thread all that
/// is suspended. It may be blocked by what it unwinds.
class gravedigger final : public fiber_core {
public:
    enum class work { graveyard, all_suspended };

    explicit gravedigger(work w) : fiber_core("gravedigger", default_stack_size, role::task), work_(w) {
        owns_itself = true;
        exits = 1;  // not to be unwound by another
    }
    void run(thread_state& thread, message&) override {
        arrived(thread);
        empty_graveyard(thread);
        if (work_ == work::all_suspended) unwind_suspended(thread);
    }
    void end_early(std::exception_ptr) noexcept override {
        unlink();
        set_state(fiber_state::dead);
    }
    void destroy() noexcept override { delete this; }

private:
    const work work_;
};

void drop_all(remote_item* next) noexcept {
    while (next) std::exchange(next, next->next_remote)->drop();
}

bool has_suspended(thread_state& thread) noexcept {
    for (const fiber_core& fiber : thread.fibers) {
        if (waits_to_be_unwound(fiber)) return true;
    }
    return thread.graveyard.load() != nullptr;
}

}  // namespace

std::uint32_t fork_generation() noexcept { return forks.load(std::memory_order_relaxed); }

void watch_forks() { [[maybe_unused]] static const int installed = ::pthread_atfork(nullptr, nullptr, hub_after_fork); }

void hub_core::run_on_hub(hub_core&) noexcept {
    is_burying_.store(false);
    dig(false);
}

void hub_core::dig(bool all_suspended) noexcept {
    auto* digger =
        new (std::nothrow) gravedigger(all_suspended ? gravedigger::work::all_suspended : gravedigger::work::graveyard);
    if (!digger) return;
    thread_.number_fiber(*digger);
    digger->owner = &thread_;
    thread_.fibers.push_back(*digger);
    make_ready(*digger);
}

void hub_core::graveyard_filled() noexcept {
    if (!is_burying_.exchange(true)) send(*this);
}

void hub_core::ask_all_to_end() noexcept {
    for (fiber_core& fiber : thread_.fibers) {
        if (!fiber.is_started()) {
            fiber.cancel_here();
        } else if (!std::exchange(fiber.exiting, true) && fiber.state() == fiber_state::parked) {
            interrupt_wait(fiber);
        }
    }
}

void hub_core::end_fibers() noexcept {
    fiber_core& main = *thread_.main;
    ++main.shields;
    const deadline end = deadline::after(patience);
    while ((!thread_.fibers.empty() || thread_.graveyard.load()) && !end.expired()) {
        ask_all_to_end();
        if (has_suspended(thread_)) dig(true);
        waiter pause({"the end of this thread's fibers"});
        pause.sleep(deadline::after(1ms));
    }
    --main.shields;
    while (!thread_.fibers.empty()) {
        fiber_core& fiber = *thread_.fibers.begin();
        const std::string why = "did not end with its thread: it " + describe_wait(fiber);
        if (fiber.state() == fiber_state::parked) fiber.waiting->abandon();
        give_up_on(thread_, fiber, why);
    }
}

/// What stands on one queue, at most. A waker that has taken its waiter before sends it here: that must have come in
/// while the waiter is still there.
void hub_core::abandon(fiber_core& fiber) noexcept {
    const bool is_loop = std::exchange(thread_.current->is_loop, true);  // what runs here may not suspend
    timers_.cancel_if([&](const timer& t) { return t.fiber == &fiber; });
    fiber.forget_interrupts();
    if (fiber.state() == fiber_state::parked) {
        for (spin_wait pause; fiber.state() == fiber_state::parked && !fiber.waiting->abandon(); pause.once()) {
            run_remote_items();
        }
    }
    if (polling_ == &fiber) {
        polling_ = nullptr;
    } else if (fiber.state() == fiber_state::queued) {
        ready_.remove(fiber);
    }
    thread_.current->is_loop = is_loop;
}

/// What is dropped may spawn tasks and post functions, and those when they go. The handler of errors goes last.
void hub_core::drop_rest() noexcept {
    is_retiring_ = true;
    for (const deadline end = deadline::after(patience); !end.expired();) {
        end_fibers();
        drop_all(remote_.take_all());
        destroy_locals(*loop_.stack);
        if (!thread_.fibers.empty() || loop_.stack->locals || !remote_.empty()) continue;
        if (const unhandled_handler last = std::exchange(unhandled_, nullptr)) continue;
        if (remote_.close_if_empty()) return;
    }
    drop_all(remote_.close());
    end_fibers();
}

void hub_core::retire() noexcept {
    drop_rest();
    posted.free_packs();
    no_longer_stuck();
    count_hub(-1);
    thread_.blocks.has_trimmer = false;
    thread_.stacks.release(*std::exchange(loop_.stack, nullptr));
    foreign_watches.clear();  // of fibers that have not ended
    {
        const std::lock_guard guard(thread_.graveyard_lock);
        thread_.sched = nullptr;
    }
    drop_ref();
}

void hub_core::after_fork() {
    poller_ = std::make_unique<poller>();  // first: what is taken back below must not be the parent's
    trimmer_.after_fork(*poller_);
    is_stuck_ = false;
    fiber_core* self = thread_.current;
    timers_.cancel_if([self](const timer& t) { return t.fiber != self; });
    while (!thread_.fibers.empty()) {
        fiber_core& fiber = *thread_.fibers.begin();
        if (fiber.state() == fiber_state::parked) fiber.waiting->abandon_after_fork();
        if (&fiber == self) {
            fiber.unlink();
        } else if (fiber.is_task()) {
            fiber.end_early(stayed_behind());
        } else {
            fiber.unlink();
            fiber.set_state(fiber_state::dead);
        }
    }
    if (!self->is_main()) {
        if (thread_.main->state() == fiber_state::parked) thread_.main->waiting->abandon_after_fork();
        thread_.main->set_state(fiber_state::dead);
        if (!self->is_loop) thread_.fibers.push_back(*self);
    }
    if (source) std::exchange(source, nullptr)->after_fork();
    ready_.clear();
    remote_.reset();
    is_burying_ = false;
    posted.after_fork();
    thread_.graveyard_lock.reset();
    foreign_watches.clear();
    fd_waiters = 0;
    polling_ = nullptr;
}

}  // namespace coir::detail
