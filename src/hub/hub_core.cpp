#include "hub/hub_core.hpp"

#include "fiber/start.hpp"
#include "fiber/switch.hpp"
#include "hub/foreign_watch.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <utility>

namespace coir::detail {

namespace {

constexpr int first_round = 64;

/// Who is blocked for `fiber`: itself, or the one at the end of the chain of calls that it waits for. Null when that
/// one is not parked, or a shield or an unwinding on the way protects it.
fiber_core* blocked_for(fiber_core& fiber, const interrupt& what) noexcept {
    if (!fiber.is_open_to(what, fiber.language.uncaught)) return nullptr;
    fiber_core* at = &fiber;
    while (at->state() == fiber_state::suspended && at->switched_to) {
        at = at->switched_to;
        if (!at->is_interruptible(at->language.uncaught)) return nullptr;
    }
    return at->state() == fiber_state::parked ? at : nullptr;
}

}  // namespace

void loop_fiber::run(thread_state&, message&) { hub_.run_loop(); }

hub_core::hub_core(thread_state& thread)
    : budget_(first_round),
      io_budget_(io_operations_per_turn),
      thread_(thread),
      round_(first_round),
      poller_(std::make_unique<poller>()),
      trimmer_(thread, *poller_, posted),
      loop_(*this) {
    new (handle_room_) hub(this);
    thread.number_fiber(loop_);
    loop_.owner = &thread;
    start_on_some_stack(thread, loop_, *thread.current);
    thread.blocks.has_trimmer = true;
}

hub_core::~hub_core() = default;

hub_core& hub_core::make(thread_state& thread) {
    watch_forks();
    auto* made = new hub_core(thread);
    const std::lock_guard guard(thread.graveyard_lock);
    thread.sched = made;
    if (thread.graveyard.load()) made->graveyard_filled();
    count_hub(+1);
    return *made;
}

/// False if it is no more: it had ended before, or there is no stack for it.
bool hub_core::try_start(fiber_core& task) noexcept {
    if (!task.is_dead()) {
        try {
            start_on_some_stack(thread_, task, *thread_.main);
            return true;
        } catch (...) {
            task.end_early(std::current_exception());
        }
    }
    thread_.vacant = nullptr;  // what is destroyed now may start fibers of its own
    task.drop_ref();
    return false;
}

fiber_core& hub_core::next_to_run() noexcept { return take_next(); }

fiber_core& hub_core::start_next(fiber_core& task) noexcept {
    if (task.is_started()) return now_running(task);
    if (task.is_dead() || !take_over(thread_, task, *thread_.main)) [[unlikely]]
        return start_or_find_next(task);
    count_as_started(thread_, task);
    return now_running(task);
}

fiber_core& hub_core::start_or_find_next(fiber_core& task) noexcept {
    return try_start(task) ? now_running(task) : find_next();
}

fiber_core& hub_core::find_next() noexcept {
    while (budget_ > 0) {
        fiber_core* next = ready_.pop();
        if (!next) {
            if (!source || !adopt_task(true)) break;
            continue;
        }
        --budget_;
        if (next->is_started() || try_start(*next)) return now_running(*next);
    }
    return now_running(loop_);
}

/// The loop that embeds this one is told.
void hub_core::make_first_ready(fiber_core& fiber) noexcept {
    poller_->wake();
    queue(fiber);
}

bool hub_core::adopt_task(bool may_steal) noexcept {
    fiber_core* task = source->take(may_steal);
    if (!task) return false;
    thread_.fibers.push_back(*task);
    make_ready(*task);
    return true;
}

void hub_core::yield() {
    thread_state& thread = thread_;
    if (!thread.current->is_undisturbed()) [[unlikely]]
        return yield_if_not_interrupted();
    yield_unchecked(thread);
}

void hub_core::yield_if_not_interrupted() {
    throw_if_interrupted();
    yield_unchecked(thread_);
}

void hub_core::yield_until_parked() {
    do {
        budget_ = 0;
        yield();
        // Back straight from the loop, which has just asked the kernel, and nobody stands behind.
    } while (thread_.previous != &loop_ || !ready_.empty() || !remote_.empty());
}

void hub_core::poll() {
    throw_if_interrupted();
    fiber_core& self = *thread_.current;
    if (!self.is_main()) throw fiber_error("hub::poll is for the thread's main fiber");
    polling_ = &self;
    budget_ = 0;
    self.set_state(fiber_state::queued);
    switch_away();
}

int hub_core::embed() {
    is_embedded_ = true;
    await_outside();
    return poller_->fd();
}

/// Another loop waits for this hub's descriptor: it must become readable for whatever poll() would do.
void hub_core::await_outside() noexcept {
    poller_->alarm(timers_.next_due());
    if (!remote_.start_sleep() || !ready_.empty()) poller_->wake();
}

void hub_core::on_key(std::uint64_t key, std::uint32_t events) noexcept {
    const auto found = foreign_watches.find(foreign_watch::fd_of(key));
    if (found != foreign_watches.end() && found->second->key() == key) found->second->on_events(events);
}

void hub_core::interrupt(fiber_core& fiber, coir::detail::interrupt& what) noexcept {
    fiber_core* blocked = blocked_for(fiber, what);
    if (blocked && blocked->waiting->abandon()) {
        blocked->waiting->interrupt_with(what.to_throw(), what.cancels());
        make_ready(*blocked);
    } else {
        fiber.add_interrupt(what);
    }
}

void hub_core::interrupt_wait(fiber_core& parked) noexcept {
    const bool may_be = parked.state() == fiber_state::parked && parked.is_interruptible(parked.language.uncaught);
    if (!may_be || !parked.waiting->abandon()) return;
    ++parked.exits;
    parked.waiting->interrupt_with(std::make_exception_ptr(fiber_exit{}));
    make_ready(parked);
}

bool hub_core::send(remote_item& item) noexcept {
    if (thread_.is_lost.load(std::memory_order_relaxed)) return false;  // it stayed in the parent of a fork
    // As soon as it is linked the item may end the last fiber of this hub, drop the handle that the caller has, and so
    // end the hub.
    add_ref();
    const remote_queue::result result = remote_.push(item);
    if (is_stuck_) no_longer_stuck();  // also one that is still about to sleep: until it has looked, it counts as stuck
    if (result == remote_queue::result::must_wake) poller_->wake();
    drop_ref();
    return result != remote_queue::result::closed;
}

bool hub_core::post(unique_function<void()>&& function) {
    posted_function& item = posted.take(std::move(function));
    if (send(item)) return true;
    item.drop();
    return false;
}

void hub_core::report_unhandled(std::string_view fiber_name, std::exception_ptr error) noexcept {
    if (!unhandled_) return print_unhandled(fiber_name, error);
    try {
        const unhandled_handler handler = unhandled_;  // it may replace itself
        handler(fiber_name, error);
    } catch (...) {
        print_unhandled(fiber_name, error);
        print_unhandled("the handler of unhandled errors", std::current_exception());
    }
}

std::string describe_wait(fiber_core& fiber) {
    switch (fiber.state()) {
        case fiber_state::parked:
            return "waits for " + fiber.waiting->info().describe();
        case fiber_state::suspended:
            if (fiber.switched_to) return fmt::format("has switched to \"{}\"", fiber.switched_to->name());
            return "is suspended in a switch or a yield";
        case fiber_state::queued:
            return fiber.is_started() ? "is ready to run" : "has not started";
        case fiber_state::running:
            return "is running";
        default:
            return "is not alive";
    }
}

std::string hub_core::describe_fibers() {
    std::string text = fmt::format("  \"main\" {}\n", describe_wait(*thread_.main));
    for (fiber_core& fiber : thread_.fibers) text += fmt::format("  \"{}\" {}\n", fiber.name(), describe_wait(fiber));
    return text;
}

}  // namespace coir::detail
