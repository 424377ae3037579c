// A task by hand with all that one of coir promises, and nothing more. It starts when its turn comes, on a pooled stack
// or where another one has ended; any thread may hold, join or cancel it; a wait may be interrupted or have a limit; its
// error is kept, and told if nobody asks; it has a number, and is found among the living; exceptions in flight, errno and
// the flags of floating point are as in coir. Of a promise that these works do not call upon, here is only what it costs
// then: the room and the check. What would follow is left out.
#pragma once

#include <cxxabi.h>
#include <immintrin.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "../limit/ring.hpp"
#include "../limit/wheel.hpp"

namespace promised {

[[noreturn]] inline void left_out() { std::abort(); }

class spinlock {
public:
    void lock() {
        while (locked_.exchange(true, std::memory_order_acquire)) {
        }
    }
    void unlock() { locked_.store(false, std::memory_order_release); }

private:
    std::atomic<bool> locked_{false};
};

struct stack {
    char* top = nullptr;
    raw::fcontext_t left = nullptr;  // where the last task ended
    stack* next = nullptr;
};

struct language {
    void* caught = nullptr;
    unsigned int uncaught = 0;
    int error_number = 0;
};

enum class state : std::uint8_t { fresh, queued, running, parked, dead };

struct thread;
struct waiter;

struct fiber {
    raw::fcontext_t resume = nullptr;
    language own;
    fiber* next_ready = nullptr;
    std::atomic<std::uint32_t> refs{1};
    std::atomic<state> now{state::fresh};
    std::atomic<bool> is_started{false};
    bool is_exiting = false;
    std::uint16_t shields = 0;
    std::atomic<thread*> owner{nullptr};
    stack* on = nullptr;
    fiber* called_by = nullptr;
    list_link interrupts;
    waiter* waits = nullptr;
    list_link among_the_living;
    void* locals = nullptr;
    std::uint64_t number = 0;

    bool is_undisturbed() const { return !interrupts.is_linked() && !called_by && !is_exiting; }
};

struct waiter : list_link {
    waiter(const char* w, const void* o) : what(w), object(o) {}

    const char* what;
    const void* object;
    fiber* who = nullptr;
    spinlock* lock = nullptr;
    std::int64_t limit = INT64_MAX;
    list_link* timer = nullptr;
    std::optional<std::exception_ptr> error;
    std::atomic<bool> is_taken{false}, is_abandoned{false};
};

/// Memory for tasks, whose pages are made sixteen at a time. Huge pages are faster alone, and twice as slow after other
/// programs have run.
class task_room {
public:
    void* take(std::size_t size) {
        size = (size + 15) / 16 * 16;
        if (static_cast<std::size_t>(populated_ - at_) < size) extend();
        return std::exchange(at_, at_ + size);
    }

private:
    static constexpr std::size_t step = 64 * 1024, most = std::size_t{1} << 30;

    void extend() {
        if (!at_) {
            void* room =
                mmap(nullptr, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (room == MAP_FAILED || madvise(room, most, MADV_NOHUGEPAGE) != 0) left_out();
            at_ = populated_ = static_cast<char*>(room);
            end_ = at_ + most;
        }
        if (populated_ == end_) left_out();
        madvise(populated_, step, 23);  // MADV_POPULATE_WRITE, if the kernel has it
        populated_ += step;
    }

    char *at_ = nullptr, *populated_ = nullptr, *end_ = nullptr;
};

struct thread {
    /// For at most so many that have started and not ended: one that runs and one that has just ended, or more.
    explicit thread(std::size_t most_stacks = 2) : memory(most_stacks), stacks(most_stacks) {
        main.owner = this;
        main.is_started = true;
        main.now = state::running;
    }

    fiber* current = &main;
    fiber* corpse = nullptr;
    language* exceptions = reinterpret_cast<language*>(abi::__cxa_get_globals());
    int* error_number = &errno;
    unsigned float_flags = 0;
    void* trace = nullptr;
    fiber* first = nullptr;
    fiber** last_link = &first;
    int budget = 1 << 30;  // of switches, until the loop has its turn
    int io_budget = 0;
    std::uint64_t made = 0;
    list_link living;
    void* blocks = nullptr;  // of tasks that have gone
    task_room room;
    stack* idle = nullptr;
    slab memory;
    std::vector<stack> stacks;
    std::size_t stacks_used = 0;
    fiber main;
};

inline thread_local thread* this_thread = nullptr;

constexpr unsigned sticky_flags = 0x3f;

inline raw::transfer_t save(raw::transfer_t t) {
    unsigned word;
    std::memcpy(&word, t.fctx, sizeof word);
    if (((word ^ this_thread->float_flags) & sticky_flags) != 0) [[unlikely]] {
        this_thread->float_flags = word & sticky_flags;
        _mm_setcsr((_mm_getcsr() & ~sticky_flags) | this_thread->float_flags);
    }
    static_cast<fiber*>(t.data)->resume = t.fctx;
    return t;
}

[[gnu::always_inline]] inline void swap_language(thread& t, fiber& to) {
    fiber& from = *std::exchange(t.current, &to);
    from.own = {t.exceptions->caught, t.exceptions->uncaught, *t.error_number};
    t.exceptions->caught = to.own.caught;
    t.exceptions->uncaught = to.own.uncaught;
    *t.error_number = to.own.error_number;
}

[[gnu::always_inline]] inline void switch_to(thread& t, fiber& to) {
    fiber& from = *t.current;
    swap_language(t, to);
    unsigned word;
    std::memcpy(&word, to.resume, sizeof word);
    if (const unsigned differing = (word ^ t.float_flags) & sticky_flags) [[unlikely]] {
        word ^= differing;
        std::memcpy(to.resume, &word, sizeof word);
    }
    raw::ontop_fcontext(to.resume, &from, save);
}

inline void make_ready(thread& t, fiber& f) {
    f.now.store(state::queued, std::memory_order_release);
    f.next_ready = nullptr;
    *t.last_link = &f;
    t.last_link = &f.next_ready;
}

/// Requires that there is one.
[[gnu::always_inline]] inline fiber& pop_ready(thread& t) {
    if (t.budget <= 0) left_out();
    --t.budget;
    t.io_budget = 128;
    fiber& next = *t.first;
    t.first = next.next_ready;
    if (!t.first) {
        t.last_link = &t.first;
    } else {
        for (int line = 0; line < 2; ++line) __builtin_prefetch(static_cast<char*>(t.first->resume) + line * 64);
    }
    next.now.store(state::running, std::memory_order_release);
    return next;
}

class task : public fiber {
public:
    static void* operator new(std::size_t size) {
        void* block = this_thread->blocks;
        if (!block) return this_thread->room.take(size);
        std::memcpy(&this_thread->blocks, block, sizeof block);
        return block;
    }
    static void operator delete(void* block) {
        std::memcpy(block, &this_thread->blocks, sizeof block);
        this_thread->blocks = block;
    }

    void drop() {
        std::uint32_t count = refs.load(std::memory_order_acquire);
        while (count != 1) {
            if (refs.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel)) return;
        }
        delete this;
    }

    void join() {
        thread& t = *this_thread;
        if (this == t.current) left_out();
        if (!is_done_.load(std::memory_order_acquire)) wait(t);
        is_seen_.store(true, std::memory_order_relaxed);
        if (error_ || was_cancelled_) [[unlikely]]
            std::rethrow_exception(error_);
    }

protected:
    task() = default;
    virtual ~task() {
        if (error_ && !is_seen_) left_out();
    }
    virtual void call() = 0;
    virtual void drop_function() = 0;

    void launch(thread& t) {
        number = ++t.made;
        owner.store(&t, std::memory_order_relaxed);
        refs.store(2, std::memory_order_relaxed);  // one until it has ended
        among_the_living.insert_before(t.living);
        make_ready(t, *this);
    }

private:
    void wait(thread& t) {
        lock_.lock();
        if (is_done_.load(std::memory_order_relaxed)) return lock_.unlock();
        waiter self("the end of task", this);
        if (!t.current->is_undisturbed()) left_out();
        self.who = t.current;
        self.lock = &lock_;
        self.insert_before(waiting_);
        lock_.unlock();
        self.who->waits = &self;
        self.who->now.store(state::parked, std::memory_order_release);
        if (self.limit != INT64_MAX) left_out();
        fiber& next = pop_ready(t);
        if (!next.is_started.load(std::memory_order_relaxed)) static_cast<task&>(next).start(t);
        switch_to(t, next);
        arrived(t);
        if (self.error) std::rethrow_exception(*self.error);
    }

    static void arrived(thread& t) {
        if (t.trace) [[unlikely]]
            left_out();
        auto* dead = static_cast<task*>(std::exchange(t.corpse, nullptr));
        if (!dead) return;
        if (stack* free = std::exchange(dead->on, nullptr)) {
            free->left = dead->resume;
            free->next = std::exchange(t.idle, free);
        }
        dead->drop();
    }

    void start(thread& t) {
        if (owner.load(std::memory_order_acquire) != &t) left_out();
        on = t.idle ? std::exchange(t.idle, t.idle->next) : &fresh_stack(t);
        resume =
            on->left ? std::exchange(on->left, nullptr) : raw::make_fcontext(on->top, slab::stack_size - 1024, run_all);
        is_started.store(true, std::memory_order_relaxed);
    }

    static stack& fresh_stack(thread& t) {
        const std::size_t i = t.stacks_used++;
        t.memory.guard_up_to(i);
        t.stacks.at(i).top = t.memory.top(i);
        return t.stacks[i];
    }

    static void run_all(raw::transfer_t) {
        thread& t = *this_thread;
        for (;;) {
            auto& self = static_cast<task&>(*t.current);
            self.run(t);
            fiber& next = pop_ready(t);
            t.corpse = &self;
            if (next.is_started.load(std::memory_order_relaxed)) {
                switch_to(t, next);
            } else {
                next.on = std::exchange(self.on, nullptr);
                next.is_started.store(true, std::memory_order_relaxed);
                swap_language(t, next);
            }
        }
    }

    void run(thread& t) {
        try {
            arrived(t);
            if (!never_run_) call();
        } catch (...) {
            error_ = std::current_exception();
        }
        drop_function();
        if (interrupts.is_linked()) left_out();
        finish(t);
        if (locals || called_by) left_out();
        now.store(state::dead, std::memory_order_release);
        among_the_living.unlink();
    }

    void finish(thread& t) {
        lock_.lock();
        is_done_.store(true, std::memory_order_release);
        while (waiting_.is_linked()) {
            auto& first = static_cast<waiter&>(*waiting_.next);
            first.unlink();
            if (first.who->owner.load(std::memory_order_relaxed) != &t || first.timer) left_out();
            make_ready(t, *first.who);
        }
        lock_.unlock();
    }

    spinlock lock_;
    std::atomic<bool> is_done_{false};
    list_link waiting_;
    std::exception_ptr error_;
    bool was_cancelled_ = false;
    std::atomic<bool> never_run_{false};
    std::atomic<bool> is_seen_{false};
};

template <class Function>
class task_of final : public task {
public:
    explicit task_of(Function f) : function_(std::move(f)) { launch(*this_thread); }
    long get() {
        join();
        return *result_;
    }

private:
    void call() override { result_.emplace((*function_)()); }
    void drop_function() override { function_.reset(); }

    std::optional<Function> function_;
    std::optional<long> result_;
};

template <class Function>
class handle {
public:
    handle() = default;
    explicit handle(Function f) : task_(new task_of<Function>(std::move(f))) {}
    handle(handle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    handle& operator=(handle other) noexcept {
        std::swap(task_, other.task_);
        return *this;
    }
    ~handle() {
        if (task_) task_->drop();
    }
    long get() { return task_->get(); }

private:
    task_of<Function>* task_ = nullptr;
};

}  // namespace promised
