// Threads end in two phases. The destructor of a thread_local unwinds the fibers, while most of what they use still
// lives; the destructor of a pthread key, which runs after all thread_locals, takes the mechanism down. exit() runs
// the former on whatever stack it is called from, and must not unwind anything.
#include "fiber/thread_state.hpp"

#include "fiber/fiber_locals.hpp"
#include "fiber/lifecycle.hpp"
#include "fiber/stack_overflow.hpp"

#include <coir/base/error.hpp>

#include <cxxabi.h>
#include <pthread.h>
#include <unwind.h>

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace coir::detail {

constinit thread_local thread_state* this_thread_state = nullptr;

namespace {

struct idle_states {
    spinlock lock;
    thread_state* first = nullptr;
    std::uint64_t threads = 0;
};
constinit idle_states idle;

thread_state& take_state() {
    const std::lock_guard guard(idle.lock);
    thread_state* state = idle.first;
    if (state) {
        idle.first = state->next_idle;
    } else {
        state = new thread_state;
    }
    state->number = idle.threads++;
    return *state;
}

bool called_from_exit() noexcept {
    bool found = false;
    _Unwind_Backtrace(
        [](_Unwind_Context* frame, void* out) {
            auto* function = reinterpret_cast<void (*)(int)>(_Unwind_FindEnclosingFunction(
                reinterpret_cast<void*>(_Unwind_GetIP(frame) - 1)));
            if (function == &std::exit) *static_cast<bool*>(out) = true;
            return _URC_NO_REASON;
        },
        &found);
    return found;
}

/// First phase.
void end_fibers(thread_state& thread) noexcept {
    if (thread.current != thread.main) return;  // exit() or pthread_exit in a fiber: there is nobody to go on as
    if (thread.sched) {
        thread.sched->end_fibers();
    } else {
        empty_graveyard(thread);
        unwind_suspended(thread);
    }
    destroy_locals(*thread.main);
}

/// Second phase.
void retire(void* state) noexcept {
    thread_state& thread = *static_cast<thread_state*>(state);
    end_fibers(thread);
    if (thread.sched) thread.sched->retire();
    empty_graveyard(thread);
    thread.graveyard_lock.lock();
    thread.sched = nullptr;
    thread.is_alive = false;
    thread.graveyard_lock.unlock();
    thread.trace = nullptr;
    thread.main->set_state(fiber_state::dead);
    std::exchange(thread.main, nullptr)->drop_ref();
    thread.stacks.clear();
    remove_overflow_stack();
    this_thread_state = nullptr;
    const std::lock_guard guard(idle.lock);
    thread.next_idle = std::exchange(idle.first, &thread);
}

struct thread_guard {
    ~thread_guard() {
        if (this_thread_state && !called_from_exit()) end_fibers(*this_thread_state);
    }
};

pthread_key_t retirement_key() {
    static const pthread_key_t key = [] {
        pthread_key_t made;
        if (const int error = pthread_key_create(&made, retire)) throw_system_error(error, "pthread_key_create");
        return made;
    }();
    return key;
}

}  // namespace

thread_state& make_thread_state() {
    const pthread_key_t key = retirement_key();
    thread_state& thread = take_state();
    thread.main = new main_fiber;
    thread.main->owner = &thread;
    thread.main->stack = &thread.main_stack;
    thread.main->started = true;
    thread.main->set_state(fiber_state::running);
    thread.main->id = thread.number << 40;
    thread.current = thread.previous = thread.main;
    thread.fibers_made = 0;
    thread.exceptions = reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
    thread.error_number = &errno;
#ifdef COIR_TSAN
    thread.main_stack.sanitizer.fiber = __tsan_get_current_fiber();
#endif
    {
        const std::lock_guard guard(thread.graveyard_lock);
        thread.is_alive = true;
    }
    this_thread_state = &thread;
    pthread_setspecific(key, &thread);
    static thread_local thread_guard guard;
    (void)guard;
    install_overflow_stack();
    return thread;
}

fiber_core& current_fiber() noexcept { return *this_thread().current; }

void thread_state::bury(fiber_core& fiber) noexcept {
    {
        const std::lock_guard guard(graveyard_lock);
        if (is_alive) {
            fiber.next_buried = std::exchange(graveyard, &fiber);
            if (sched) sched->graveyard_filled();
            return;
        }
    }
    fiber.drop_ref();  // its thread has ended, and it with it
}

void thread_state::report(std::string_view fiber_name, std::exception_ptr error) noexcept {
    if (sched) return sched->report_unhandled(fiber_name, std::move(error));
    print_unhandled(fiber_name, error);
}

std::string describe(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (const cancelled&) {
        return "coir::cancelled";
    } catch (const fiber_exit&) {
        return "coir::fiber_exit";
    } catch (...) {
        const std::type_info* type = abi::__cxa_current_exception_type();
        int status = 0;
        std::unique_ptr<char, void (*)(void*)> readable(
            type ? abi::__cxa_demangle(type->name(), nullptr, nullptr, &status) : nullptr, std::free);
        return fmt::format("an exception of type {}", readable ? readable.get() : "unknown");
    }
}

void print_unhandled(std::string_view fiber_name, const std::exception_ptr& error) noexcept {
    try {
        fmt::print(stderr, "coir: error in fiber \"{}\": {}\n", fiber_name, describe(error));
    } catch (...) {
        // stderr is closed: there is nobody left to tell
    }
}

}  // namespace coir::detail
