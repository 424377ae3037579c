#include <coir/fiber/fiber.hpp>

#include "fiber/exchange.hpp"
#include "fiber/lifecycle.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace coir {

namespace detail {

namespace {

/// A fiber that is switched to by hand. Its callable is destroyed on its own stack, when it has ended.
class explicit_fiber final : public fiber_core {
public:
    explicit_fiber(const fiber_options& options, unique_function<value(value)> body)
        : fiber_core(options.name, options.stack_size), body_(std::move(body)) {}

    void run(thread_state& thread, message& last_words) override {
        last_words = call(thread);
        body_.reset();
    }
    void destroy() noexcept override { delete this; }

private:
    message call(thread_state& thread) {
        message first = take_mail(thread);
        try {
            arrived(thread, false);
            return {body_(std::move(first.sent)), nullptr};
        } catch (const fiber_exit& exit) {
            return {value(exit), nullptr};
        } catch (...) {
            if (std::exception_ptr error = std::current_exception()) return {{}, std::move(error)};
            throw;  // pthread_exit unwinds with what is no exception of C++
        }
    }

    unique_function<value(value)> body_;
};

bool is_fiber_exit(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const fiber_exit&) {
        return true;
    } catch (...) {
        return false;
    }
}

const char* state_words(const fiber_core& fiber) noexcept {
    switch (fiber.state()) {
        case fiber_state::parked:
            return "is parked on its hub, blocked in a coir call: wake what it waits for instead";
        case fiber_state::queued:
            return "is queued to run on its hub: it runs as soon as the others yield";
        case fiber_state::unstarted:
            return "is a task that has not started: its hub starts it";
        default:
            return "cannot be switched to";
    }
}

[[noreturn]] void throw_wrong_thread(const fiber_core& fiber) {
    throw fiber_error(
        fmt::format("fiber \"{}\" belongs to another thread; a fiber stays on the thread that first ran "
                    "it: post a function to that thread's hub instead",
                    fiber.name()));
}

/// Whether it has run on this thread, or on none so far. Of a fiber without an owner nothing else may be looked at:
/// another thread may be starting it right now, and start() will tell.
bool is_at_home(const thread_state& thread, const fiber_core& fiber) noexcept {
    const thread_state* owner = fiber.owner.load(std::memory_order_acquire);
    if (!owner) return true;
    return owner == &thread && (!fiber.is_dead() || fiber.owner_number == thread.number);
}

/// The fiber that a switch to `wanted` really goes to. Checks everything before anything changes.
fiber_core& resolve_target(thread_state& thread, fiber_core* wanted) {
    if (!wanted) throw fiber_error("switching to an empty fiber handle: assign a fiber to it first");
    if (thread.current->is_loop) {
        throw fiber_error("a function posted to a hub may not switch fibers: spawn a task from it");
    }
    if (!is_at_home(thread, *wanted)) throw_wrong_thread(*wanted);
    if (!wanted->owner.load(std::memory_order_relaxed)) return *wanted;
    fiber_core& target = wanted->is_dead() ? live_ancestor(thread, *wanted) : *wanted;
    if (&target != thread.current && !accepts_switch(target)) {
        throw fiber_error(fmt::format("fiber \"{}\" {}", target.name(), state_words(target)));
    }
    return target;
}

/// Whether it must be started before it can be switched to.
bool needs_start(const thread_state& thread, const fiber_core& target) noexcept {
    return target.owner.load(std::memory_order_acquire) != &thread || target.state() == fiber_state::unstarted;
}

/// A switch to this fiber needs no other look at it, nor at the current one.
bool goes_straight(const thread_state& thread, const fiber_core* target) noexcept {
    const fiber_core& self = *thread.current;
    return target && target->owner.load(std::memory_order_acquire) == &thread &&
           target->state() == fiber_state::suspended && !self.exiting && !self.is_loop;
}

[[gnu::noinline]] value switch_in_steps(thread_state& thread, fiber_core* wanted, value& sent) {
    fiber_core& target = resolve_target(thread, wanted);
    if (&target == thread.current) return std::move(sent);
    exit_if_orphaned(thread);
    if (needs_start(thread, target)) start(thread, target, *thread.current);
    return exchange(thread, target, sent, switch_kind::call);
}

void check_new_parent(thread_state& thread, const fiber_core* self, fiber_core* parent) {
    if (!self || !parent) throw fiber_error("set_parent with an empty fiber handle");
    if (self->is_main()) throw fiber_error("the main fiber of a thread has no parent");
    if (!is_at_home(thread, *self)) throw_wrong_thread(*self);
    if (!is_at_home(thread, *parent)) throw_wrong_thread(*parent);
    for (const fiber_core* at = parent; at; at = at->parent) {
        if (at == self) {
            throw fiber_error(fmt::format("fiber \"{}\" cannot be the parent of \"{}\": it descends from it",
                                          parent->name(), self->name()));
        }
    }
}

}  // namespace

void throw_bad_stack_size(std::size_t size, std::string_view name) {
    throw fiber_error(fmt::format("fiber \"{}\": a stack of {} bytes; it must have from {} bytes to {} bytes", name,
                                  size, min_stack_size, max_stack_size));
}

void* fiber_core::operator new(std::size_t size) {
    return this_thread_state ? this_thread_state->blocks.take(size) : take_shared_block(size);
}

void* fiber_core::operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void fiber_core::operator delete(void* block, std::size_t size) noexcept {
    this_thread_state ? this_thread_state->blocks.give(block, size) : give_shared_block(block, size);
}

void fiber_core::rename(std::string_view name) {
    given_name = std::make_unique<char[]>(name.size() + 1);
    std::memcpy(given_name.get(), name.data(), name.size());
}

const char* fiber_core::write_name(char (&room)[name_room]) const noexcept {
    if (given_name) return given_name.get();
    const auto thread = static_cast<unsigned long long>(id >> 40);
    const auto number = static_cast<unsigned long long>(id & ((std::uint64_t{1} << 40) - 1));
    if (thread == 0) {
        std::snprintf(room, name_room, "fiber-%llu", number);
    } else {
        std::snprintf(room, name_room, "fiber-%llu.%llu", thread, number);
    }
    return room;
}

std::string fiber_core::name() const {
    char room[name_room];
    return write_name(room);
}

}  // namespace detail

using detail::fiber_core;
using detail::this_thread;
using detail::thread_state;

detail::ref<fiber_core> fiber::make(const fiber_options& options, body_function body) {
    if (!body) throw fiber_error(fmt::format("fiber \"{}\": the body is a null callable", options.name));
    detail::check_stack_size(options.stack_size, options.name);
    thread_state& thread = this_thread();
    if (thread.graveyard.load(std::memory_order_relaxed) && !thread.sched) empty_graveyard(thread);
    fiber_core* parent = thread.current->is_loop ? thread.main : thread.current;
    auto made = detail::ref<fiber_core>::adopt(new detail::explicit_fiber(options, std::move(body)));
    thread.number_fiber(*made);
    parent->add_link();
    made->parent = parent;
    return made;
}

const fiber& fiber::current() {
    return *std::launder(reinterpret_cast<const fiber*>(this_thread().current->own_handle));
}

value fiber::switch_to(value sent) const {
    thread_state& thread = this_thread();
    if (fiber_core* target = core(); detail::goes_straight(thread, target)) [[likely]] {
        prefetch_frames(*target);
        return exchange(thread, *target, sent, detail::switch_kind::call);
    }
    return detail::switch_in_steps(thread, core(), sent);
}

value fiber::throw_in(std::exception_ptr error) const {
    if (!error) throw fiber_error("throw_in of a null exception_ptr");
    thread_state& thread = this_thread();
    fiber_core& target = detail::resolve_target(thread, core());
    detail::message mail{{}, error};
    // An exit does not hurt whom it is only handed on to.
    const bool handed_on = &target != core() || detail::needs_start(thread, target);
    if (handed_on && detail::is_fiber_exit(error)) mail = {value(fiber_exit{}), nullptr};
    if (&target == thread.current) return mail.open();
    exit_if_orphaned(thread);
    if (detail::needs_start(thread, target)) return finish_unstarted(thread, target, std::move(mail));
    return exchange(thread, target, std::move(mail), detail::switch_kind::call);
}

fiber fiber::parent() const {
    fiber_core* self = core();
    if (!self || self->is_main()) return {};
    thread_state& thread = this_thread();
    if (!detail::is_at_home(thread, *self)) detail::throw_wrong_thread(*self);
    fiber_core* parent = self->parent ? self->parent : thread.main;
    return fiber(fiber_core::handle_of(*parent));
}

void fiber::set_parent(const fiber& parent) const {
    detail::check_new_parent(this_thread(), core(), parent.core());
    parent.core()->add_link();
    fiber_core* former = std::exchange(core()->parent, parent.core());
    const bool was_linked = !std::exchange(core()->parent_is_borrowed, false);
    if (former && was_linked) former->drop_link();
}

bool fiber::started() const noexcept { return core_ && core_->is_started(); }

bool fiber::dead() const noexcept { return core_ && core_->is_dead(); }

std::string fiber::name() const { return core_ ? core_->name() : std::string(); }

trace_callback fiber::set_trace(trace_callback callback) {
    std::shared_ptr<trace_callback> next;
    if (callback) next = std::make_shared<trace_callback>(std::move(callback));
    std::swap(next, this_thread().trace);
    return next ? *next : trace_callback();  // a copy: it may be running
}

}  // namespace coir
