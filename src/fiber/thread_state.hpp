// What the fiber floor keeps for a thread.
#pragma once

#include "fiber/block_cache.hpp"
#include "fiber/stack_pool.hpp"

#include <coir/base/spinlock.hpp>
#include <coir/fiber/detail/fiber_core.hpp>
#include <coir/fiber/fiber.hpp>

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace coir::detail {

/// What the fiber floor needs of the one above it: a thread's hub, once it has one.
class scheduler {
public:
    /// Whom to switch to when the current fiber cannot go on and nobody else is due. Taken off the run queue.
    virtual fiber_core& next_to_run() noexcept = 0;
    /// A parked fiber has to be thrown out of its wait.
    virtual void interrupt_wait(fiber_core& parked) noexcept = 0;
    /// The frames of a fiber that is not running are about to go without having been unwound.
    virtual void abandon(fiber_core& fiber) noexcept = 0;
    /// Something lies in the thread's graveyard. Any thread, under the graveyard's lock.
    virtual void graveyard_filled() noexcept = 0;
    virtual void report_unhandled(std::string_view fiber_name, std::exception_ptr error) noexcept = 0;
    /// The thread is about to end: ends its fibers, as far as they let it. May be called again.
    virtual void end_fibers() noexcept = 0;
    /// All have ended; those that start while the rest is destroyed end, too. The scheduler is gone afterwards, and
    /// thread_state::sched null.
    virtual void retire() noexcept = 0;

protected:
    ~scheduler() = default;
};

/// Where libstdc++ keeps the exceptions in flight of a thread: the first two members of its __cxa_eh_globals.
struct exception_globals {
    void* caught;
    unsigned int uncaught;
};

/// The control words of both units of floating point.
struct float_control {
    unsigned mxcsr = 0;
    unsigned short x87 = 0;
};

/// Thread states are never freed: a thread that ends leaves its own to a later one. So a fiber's owner may be looked
/// at from any thread at any time.
class thread_state {
public:
    fiber_core* current = nullptr;
    fiber_core* corpse = nullptr;    // one that has ended and left its stack: see arrived()
    fiber_core* previous = nullptr;  // whom `current` was switched to from
    value* mail = nullptr;           // what the fiber that is being switched to will find,
    std::exception_ptr mail_error;   // or what it will throw
    exception_globals* exceptions = nullptr;
    int* error_number = nullptr;
    unsigned float_flags = 0;  // sticky ones: see float_state.hpp
    std::shared_ptr<trace_callback> trace;
    bool is_tracing = false;

    fiber_core* main = nullptr;  // runs on the thread's own stack
    stack_slot main_stack;
    value last_words;  // room for the mail of one that has ended
    block_cache blocks;
    stack_pool stacks;
    float_control loaded_control;  // what the jump to a task has loaded that goes on where another one has ended
    stack_slot* vacant = nullptr;  // of the fiber that is ending: whoever is started in its place may have it
    intrusive_list<fiber_core, registry_hook> fibers;  // started and not dead, and tasks that wait to start
    scheduler* sched = nullptr;
    std::uint32_t number = 0;
    std::uint64_t fibers_made = 0;

    /// Fibers whose last handle was dropped on another thread. The lock also guards `sched` against other threads.
    spinlock graveyard_lock;
    std::atomic<fiber_core*> graveyard{nullptr};
    bool is_alive = false;             // a thread has it; guarded by the lock
    std::atomic<bool> is_lost{false};  // its thread stayed behind in the parent of a fork
    thread_state* next_idle = nullptr;
    thread_state* next_state = nullptr;  // in the list of all

    /// Of a new one.
    void number_fiber(fiber_core& fiber) noexcept { fiber.id = (std::uint64_t{number} << 40) + fibers_made++; }
    /// Takes a fiber whose last handle is gone and that must be unwound by this thread. Any thread.
    void bury(fiber_core& fiber) noexcept;
    void report(std::string_view fiber_name, std::exception_ptr error) noexcept;
};

/// What fiber::current() refers to in a fiber, before it runs.
inline void prepare_current(fiber_core& fiber) noexcept {
    static_assert(sizeof(coir::fiber) == sizeof fiber.own_handle);
    new (fiber.own_handle) coir::fiber(ref<fiber_core>::adopt(&fiber));
}

extern constinit thread_local thread_state* this_thread_state;

thread_state& make_thread_state();

inline thread_state& this_thread() {
    if (!this_thread_state) [[unlikely]]
        return make_thread_state();
    return *this_thread_state;
}

/// Calls `function` for each thread that has a hub, which it keeps from ending meanwhile. Nothing in it may take a lock
/// of the fiber floor.
void for_each_thread(const std::function<void(thread_state&)>& function);

/// In the child of a fork: of all threads only this one is left.
void lose_other_threads() noexcept;

/// Writes `coir: error in fiber "name": what` to stderr: where nobody else handles it.
void print_unhandled(std::string_view fiber_name, const std::exception_ptr& error) noexcept;

/// The text of an exception of any type.
std::string describe(const std::exception_ptr& error);

}  // namespace coir::detail
