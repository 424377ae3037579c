// Threads end in two phases. The destructor of a thread_local unwinds the fibers, while most of what they use still
// lives; the destructor of a pthread key, which runs after all thread_locals, takes the mechanism down. exit() runs
// the former on whatever stack it is called from, and must not unwind anything.
#include "fiber/thread_state.hpp"

#include "fiber/exchange.hpp"
#include "fiber/fiber_locals.hpp"
#include "fiber/lifecycle.hpp"
#include "fiber/stack_overflow.hpp"

#include <coir/base/error.hpp>

#include <cxxabi.h>
#include <dlfcn.h>
#include <pthread.h>
#include <unwind.h>

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace coir::detail {

constinit thread_local thread_state* this_thread_state = nullptr;

namespace {

/// The main fiber of a thread: runs on the thread's own stack.
class main_fiber final : public fiber_core {
public:
    main_fiber() : fiber_core("main", max_stack_size, role::main) {}
    void run(thread_state&, message&) override {}
    void destroy() noexcept override { delete this; }
};

struct idle_states {
    spinlock lock;
    thread_state* first = nullptr;
    thread_state* all = nullptr;
    std::uint32_t threads = 0;
};
constinit idle_states idle;

thread_state& take_state() {
    const std::lock_guard guard(idle.lock);
    thread_state* state = idle.first;
    if (state) {
        idle.first = state->next_idle;
    } else {
        state = new thread_state;
        state->next_state = std::exchange(idle.all, state);
    }
    state->number = idle.threads++;
    return *state;
}

/// By address, or, where &std::exit is a stub of the executable, by name.
bool is_exit(void* function) noexcept {
    if (function == reinterpret_cast<void*>(&std::exit)) return true;
    Dl_info found{};
    return ::dladdr(function, &found) != 0 && found.dli_sname && std::strcmp(found.dli_sname, "exit") == 0 &&
           found.dli_saddr == function;
}

bool called_from_exit() noexcept {
    bool found = false;
    _Unwind_Backtrace(
        [](_Unwind_Context* frame, void* out) {
            void* function = _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(_Unwind_GetIP(frame) - 1));
            if (function && is_exit(function)) *static_cast<bool*>(out) = true;
            return _URC_NO_REASON;
        },
        &found);
    return found;
}

/// pthread_exit has unwound the fiber that called it and gone back to the thread's own stack.
void return_to_main(thread_state& thread) noexcept {
    fiber_core& left = *std::exchange(thread.current, thread.main);
    thread.exceptions->caught = thread.main->language.caught;
    thread.exceptions->uncaught = thread.main->language.uncaught;
    take_switcher(left);
    destroy_locals(*left.stack);
    if (left.is_task()) {
        left.end_early(std::make_exception_ptr(task_cancelled("the task has ended its thread")));
    } else {
        left.unlink();
        left.set_state(fiber_state::dead);
    }
    left.context = nullptr;  // its frames have been unwound
    thread.corpse = &left;
    reap(thread);
}

/// First phase.
void end_fibers(thread_state& thread) noexcept {
    if (thread.current != thread.main) return_to_main(thread);
    do {
        if (thread.sched) {
            thread.sched->end_fibers();
        } else {
            empty_graveyard(thread);
            unwind_suspended(thread);
        }
        destroy_locals(thread.main_stack);  // may spawn tasks
    } while (thread.sched && !thread.fibers.empty());
}

/// Second phase.
void retire(void* state) noexcept {
    thread_state& thread = *static_cast<thread_state*>(state);
    end_fibers(thread);
    while (!thread.fibers.empty()) give_up_on(thread, *thread.fibers.begin(), "did not end with its thread");
    thread.trace = nullptr;
    while (thread.sched || thread.main_stack.locals) {  // what is destroyed there may make others
        destroy_locals(thread.main_stack);
        if (thread.sched) thread.sched->retire();
        empty_graveyard(thread);
    }
    empty_graveyard(thread);
    thread.graveyard_lock.lock();
    thread.is_alive = false;
    thread.graveyard_lock.unlock();
#ifdef COIR_ASAN
    if (thread.main_stack.low) __lsan_unregister_root_region(thread.main_stack.low, thread.main_stack.size);
    thread.main_stack.low = nullptr;
#endif
    thread.main->set_state(fiber_state::dead);
    std::exchange(thread.main, nullptr)->drop_ref();
    thread.stacks.clear();
    thread.blocks.clear();
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
    thread.main->set_started();
    thread.main->set_state(fiber_state::running);
    thread.main->owner_number = thread.number;
    thread.current = thread.previous = thread.main;
    thread.fibers_made = 0;
    thread.number_fiber(*thread.main);
    prepare_current(*thread.main);
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

void for_each_thread(const std::function<void(thread_state&)>& function) {
    const std::lock_guard all(idle.lock);
    for (thread_state* state = idle.all; state; state = state->next_state) {
        const std::lock_guard guard(state->graveyard_lock);
        if (state->is_alive && state->sched && !state->is_lost) function(*state);
    }
}

void lose_other_threads() noexcept {
    idle.lock.reset();
    for (thread_state* state = idle.all; state; state = state->next_state) {
        if (state != this_thread_state && state->is_alive) state->is_lost = true;
    }
}

fiber_core& current_fiber() noexcept { return *this_thread().current; }

void thread_state::bury(fiber_core& fiber) noexcept {
    {
        const std::lock_guard guard(graveyard_lock);
        if (is_alive) {
            fiber.next_buried = graveyard.exchange(&fiber);
            if (sched) sched->graveyard_filled();
            return;
        }
    }
    fiber.set_state(fiber_state::dead);  // its thread has ended, and it with it
    fiber.drop_ref();
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
