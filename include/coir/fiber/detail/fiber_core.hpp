// The control block of a fiber. Not for use outside coir.
#pragma once

#include <coir/base/intrusive_list.hpp>
#include <coir/base/ref.hpp>
#include <coir/base/spinlock.hpp>
#include <coir/fiber/stack.hpp>
#include <coir/fiber/value.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace coir::detail {

class thread_state;
class fiber_core;
class waiter;
struct stack_slot;

/// What the language runtime keeps for a thread and each fiber needs for itself: libstdc++'s record of exceptions in
/// flight (__cxa_eh_globals) and errno.
struct language_state {
    void* caught = nullptr;
    unsigned int uncaught = 0;
    int error_number = 0;
};

/// What a switch carries: a value, or an error to throw at the other side.
struct message {
    value sent;
    std::exception_ptr error;

    /// Throws the error, or gives the value.
    value open() {
        if (error) std::rethrow_exception(std::move(error));
        return std::move(sent);
    }
};

/// Only the thread that owns the fiber moves it from state to state; others may look.
enum class fiber_state : std::uint8_t {
    unstarted,  // made, never run, not on a run queue: accepts a switch
    queued,     // on its hub's run queue: woken, yielding, or a task not yet started
    running,    // the thread's current fiber
    suspended,  // in switch_to or a generator's next or yield: accepts a switch
    parked,     // blocked in a coir call; its hub will queue it
    dead,
};

/// Something to be thrown into a fiber at its next suspension: a cancellation, a timeout. It lives in its sender and
/// waits on the fiber's list until it is raised or withdrawn.
struct interrupt : list_hook {
    /// What is to be thrown. Called once, when it is handed to the fiber, after it has left the list.
    virtual std::exception_ptr to_throw() noexcept = 0;
    /// The fiber that it is a cancellation of, if it is one.
    virtual fiber_core* cancels() noexcept { return nullptr; }

    // Where it was opened, if it is a scope's: shields that were there already do not keep it away, and an unwinding
    // not if there was a shield.
    std::uint16_t inside_shields = 0;
    unsigned int inside_uncaught = 0;

protected:
    ~interrupt() = default;
};

struct registry_hook : list_hook {};

/// Why something may have to be thrown into a fiber before it suspends. All zero for nearly all, which is one comparison.
struct disturbances {
    bool exiting = false;              // its last handle is gone: fiber_exit at each suspension
    std::uint8_t exits = 0;            // no reason: how often fiber_exit was thrown, or it was sent on in a destructor
    bool is_loop = false;              // what runs on it may not suspend
    bool may_have_interrupts = false;  // false only if there are none
};

/// What a yield or a wait touches of a fiber: one line of the cache, which comes first in it.
struct switch_line : disturbances {
    ref_count refs;
    void* context = nullptr;  // an fcontext_t, while it does not run; null until it has one
    language_state language;
    union {
        fiber_core* next_ready = nullptr;  // while queued: behind it on the run queue
        waiter* waiting;                   // while parked
    };
    fiber_core* switcher = nullptr;  // who is suspended in a switch_to into this one

protected:
    std::atomic<fiber_state> state_{fiber_state::unstarted};
    std::atomic<bool> started_{false};

public:
    bool owns_itself = false;          // `refs` counts one for the fiber itself, until it is dead
    std::uint16_t shields = 0;         // open coir::shield scopes
    std::uint16_t entry_uncaught = 0;  // std::uncaught_exceptions() below the body
};
static_assert(sizeof(void*) + sizeof(switch_line) <= 64, "the line has room for the vtable pointer before it");

/// The order of the members is the order of their use.
class fiber_core : public switch_line, public registry_hook {
public:
    enum class role : std::uint8_t { ordinary, task, main };
    /// It has no number yet: thread_state::number_fiber.
    fiber_core(std::string_view name, std::size_t size, role r = role::ordinary)
        : role_(r), stack_size(static_cast<std::uint32_t>((size + page - 1) / page * page)) {
        if (!name.empty()) rename(name);
    }
    fiber_core(const fiber_core&) = delete;
    fiber_core& operator=(const fiber_core&) = delete;

    /// Runs the body to its end, on the fiber's own stack, and says what its parent gets, in words that are empty
    /// before; a task leaves them so. Lets nothing escape but the forced unwinding of pthread_exit.
    virtual void run(thread_state& thread, message& last_words) = 0;

    /// Frees the object.
    virtual void destroy() noexcept = 0;
    /// The memory of those that have gone is used again.
    static void* operator new(std::size_t size);
    static void* operator new(std::size_t size, const std::nothrow_t&) noexcept;
    static void operator delete(void* block, std::size_t size) noexcept;
    static void* operator new(std::size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }
    static void operator delete(void* block, std::size_t, std::align_val_t alignment) noexcept {
        ::operator delete(block, alignment);
    }

    bool is_main() const noexcept { return role_ == role::main; }
    /// Its end is nobody's mail, and its hub keeps it alive until then.
    bool is_task() const noexcept { return role_ == role::task; }
    /// Asks a task to end. On the thread that owns it.
    virtual void cancel_here() noexcept {}
    /// Those that are pending will not be thrown any more.
    void forget_interrupts() noexcept {
        while (!interrupts.empty()) interrupts.pop_front();
        may_have_interrupts = false;
    }
    /// Counts a task as ended that never runs (again); `error` says why.
    virtual void end_early(std::exception_ptr) noexcept {}

    /// Handles. When the last is gone a live fiber is unwound.
    void add_ref() noexcept { refs.add(); }
    void drop_ref() noexcept {
        if (refs.drop()) release_last(this);
    }
    /// A handle of one that may have none any more, but is linked, or alive, as long as the call lasts. Any thread.
    static ref<fiber_core> handle_of(fiber_core& core) noexcept;
    /// Links of children to their parent: they keep the memory, not the fiber.
    void add_link() noexcept { links.add(); }
    void drop_link() noexcept {
        if (links.drop()) destroy_chain(this);
    }

    fiber_state state() const noexcept { return state_.load(std::memory_order_acquire); }
    void set_state(fiber_state s) noexcept { state_.store(s, std::memory_order_release); }
    bool is_started() const noexcept { return started_.load(std::memory_order_relaxed); }
    void set_started() noexcept { started_.store(true, std::memory_order_relaxed); }
    /// Of one that has just been started, as an ancestor maybe, which needs no handle: if its last one has gone before, it
    /// is as if that were to go now.
    void keep_if_let_go() noexcept;
    bool is_dead() const noexcept { return state() == fiber_state::dead; }
    static constexpr std::size_t name_room = 48;
    std::string name() const;
    /// The name, without allocating: a signal handler may ask.
    const char* write_name(char (&room)[name_room]) const noexcept;
    void rename(std::string_view name);

    /// Whether an interrupt may be thrown now: not while it is shielded or unwinding.
    bool is_interruptible(unsigned int uncaught_now) const noexcept {
        return shields == 0 && uncaught_now <= entry_uncaught;
    }
    /// The same for one that is meant for this very fiber.
    bool is_open_to(const interrupt& what, unsigned int uncaught_now) const noexcept {
        return shields <= what.inside_shields &&
               (uncaught_now <= entry_uncaught || (what.inside_shields != 0 && uncaught_now <= what.inside_uncaught));
    }
    /// What nearly always holds, and then nothing can have to be thrown into it before it suspends.
    bool is_undisturbed() const noexcept {
        const auto own = std::bit_cast<std::uint32_t>(static_cast<const disturbances&>(*this));
        return (own | reinterpret_cast<std::uintptr_t>(switcher)) == 0;
    }
    void add_interrupt(interrupt& what) noexcept {
        interrupts.push_back(what);
        may_have_interrupts = true;
    }

    // --- what an explicit switch touches too
    intrusive_list<interrupt> interrupts;       // pending, oldest first
    std::atomic<thread_state*> owner{nullptr};  // set by the first run
    stack_slot* stack = nullptr;                // while started and not dead
    fiber_core* switched_to = nullptr;          // while suspended in switch_to: into whom

private:
    const role role_;

public:
    bool cancel_in_flight = false;    // a wait has ended with its cancellation, which has not been thrown yet
    std::uint16_t mutexes = 0;        // that it holds
    bool unwinds_another = false;     // and is suspended for as long as that takes
    bool parent_is_borrowed = false;  // by a generator's step: not counted as a link

private:
    // Its last handle may go, one come back, and its child start it, on three threads.
    spinlock handles_lock_;
    bool was_let_go_ = false;  // not alive, and without a handle: `links` counts none for them

public:
    // --- rarely touched
    std::uint32_t stack_size;
    ref_count links;                    // one of them for all handles
    fiber_core* parent = nullptr;       // linked; null stands for the owner's main fiber
    fiber_core* next_buried = nullptr;  // in its owner's graveyard
    std::unique_ptr<char[]> given_name;
    std::uint64_t id = 0;

    /// Room for the fiber handle that fiber::current() refers to. It is not counted: a frame that held a counted
    /// handle of its own fiber would keep that fiber alive for ever.
    alignas(void*) std::byte own_handle[sizeof(void*)];

    std::uint32_t owner_number = 0;    // of the thread that ran it: thread states are used again
    std::uint32_t failure_number = 0;  // the task's: of one that has failed, how many had before; there is room here

protected:
    ~fiber_core() = default;

private:
    static constexpr std::size_t page = 4096;
    static void release_last(fiber_core* core) noexcept;
    static void release_related(fiber_core* core) noexcept;
    enum class last_drop : std::uint8_t { of_none, of_living, of_linked };
    inline last_drop let_go() noexcept;
    inline last_drop drop_last(bool has_children) noexcept;
    static void destroy_chain(fiber_core* core) noexcept;
};

/// Fetches what lies where a suspended fiber was left: the saved registers and the first frames. No line too many, since
/// each costs as much as one that is missed when there are more fibers than the caches hold. 88 bytes are what a yield
/// loads before it is back in its caller.
inline void prefetch_frames(const fiber_core& fiber) noexcept {
    const char* left_at = static_cast<const char*>(fiber.context);
    __builtin_prefetch(left_at);
    __builtin_prefetch(left_at + 64);
    __builtin_prefetch(left_at + 87);
}

/// What the start of a task will touch of it, but for the first line.
inline void prefetch_block(const fiber_core& fiber) noexcept {
    const char* block = reinterpret_cast<const char*>(&fiber);
    for (int line = 1; line < 4; ++line) __builtin_prefetch(block + line * 64);
}

/// The running fiber of this thread; made at first use.
fiber_core& current_fiber() noexcept;

[[noreturn]] void throw_bad_stack_size(std::size_t size, std::string_view name);
/// Throws fiber_error unless min_stack_size <= size <= max_stack_size.
inline void check_stack_size(std::size_t size, std::string_view name) {
    if (size < min_stack_size || size > max_stack_size) [[unlikely]]
        throw_bad_stack_size(size, name);
}

}  // namespace coir::detail
