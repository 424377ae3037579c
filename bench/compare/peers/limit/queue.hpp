// A scheduler by hand, of bare contexts and nothing more: a run queue, first in, first out, and what the language keeps
// for a thread and each context needs for itself, which are the exceptions in flight and errno.
#pragma once

#include <cxxabi.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "ring.hpp"

namespace queue {

struct language_state {
    void* caught = nullptr;
    unsigned int uncaught = 0;
};

struct context {
    raw::fcontext_t resume = nullptr;
    language_state exceptions;
    int error_number = 0;
    context* next = nullptr;
};

inline context home;  // of whoever began
inline context* current = &home;
inline context* first = nullptr;
inline context** last_link = &first;

inline void push(context& c) {
    c.next = nullptr;
    *last_link = &c;
    last_link = &c.next;
}

/// Requires that there is one.
inline context& pop() {
    context& c = *first;
    first = c.next;
    if (!first) {
        last_link = &first;
    } else if (first->resume) {
        for (int line = 0; line < 2; ++line) __builtin_prefetch(static_cast<char*>(first->resume) + line * 64);
        __builtin_prefetch(first->next);
    }
    return c;
}

inline raw::transfer_t save(raw::transfer_t t) {
    static_cast<context*>(t.data)->resume = t.fctx;
    return t;
}

[[gnu::always_inline]] inline void switch_to(context& to) {
    static language_state* const exceptions = reinterpret_cast<language_state*>(abi::__cxa_get_globals());
    static int* const error_number = &errno;
    context& from = *std::exchange(current, &to);
    from.exceptions = std::exchange(*exceptions, to.exceptions);
    from.error_number = std::exchange(*error_number, to.error_number);
    raw::ontop_fcontext(to.resume, &from, save);
}

[[gnu::noinline]] inline void yield() {
    push(*current);
    switch_to(pop());
}

/// So many of them take turns.
class crowd {
public:
    explicit crowd(std::size_t n) : stacks_(n), members_(n) {
        for (std::size_t i = 0; i < n; ++i) {
            members_[i].resume = raw::make_fcontext(stacks_.top(i), slab::stack_size - 1024, take_turns);
            push(members_[i]);
        }
    }
    ~crowd() {
        first = nullptr;
        last_link = &first;
    }

    /// Returns when there have been n turns.
    long run(long n) {
        const long before = turns_;
        left_ = n;
        switch_to(pop());
        return turns_ - before;
    }

private:
    static void take_turns(raw::transfer_t) {
        for (;;) {
            ++turns_;
            if (--left_ == 0) {
                push(*current);
                switch_to(home);
            } else {
                yield();
            }
        }
    }

    static inline long left_ = 0;
    static inline long turns_ = 0;

    slab stacks_;
    std::vector<context> members_;
};

/// A function that runs when its turn comes, on a stack of the pool, and whose result one other may wait for.
class task : public context {
public:
    virtual ~task() = default;

    long join() {
        if (!is_done_) {
            joiner_ = current;
            run_next();
        }
        return result_;
    }

protected:
    task() = default;
    virtual long call() = 0;

private:
    static void run_next() {
        context& next = pop();
        if (!next.resume) static_cast<task&>(next).start();
        switch_to(next);
        reap();
    }
    static void reap() {
        if (task* dead = std::exchange(dead_, nullptr)) pool_.push_back(std::exchange(dead->stack_, nullptr));
    }
    static void body(raw::transfer_t) {
        reap();
        auto& self = static_cast<task&>(*current);
        self.result_ = self.call();
        self.is_done_ = true;
        if (self.joiner_) push(*self.joiner_);
        dead_ = &self;
        run_next();
    }
    void start() {
        stack_ = pool_.back();
        pool_.pop_back();
        resume = raw::make_fcontext(stack_, slab::stack_size - 1024, body);
    }

    static inline slab slab_{2};  // for one that runs and one that has just ended
    static inline std::vector<char*> pool_{slab_.top(0), slab_.top(1)};
    static inline task* dead_ = nullptr;

    char* stack_ = nullptr;
    context* joiner_ = nullptr;
    long result_ = 0;
    bool is_done_ = false;
};

template <class Function>
class task_of final : public task {
public:
    explicit task_of(Function f) : function_(std::move(f)) {}

private:
    long call() override { return function_(); }
    Function function_;
};

template <class Function>
std::unique_ptr<task> spawn(Function f) {
    auto made = std::make_unique<task_of<Function>>(std::move(f));
    push(*made);
    return made;
}

}  // namespace queue
