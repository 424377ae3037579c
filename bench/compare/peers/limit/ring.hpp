// A ring of bare contexts of Boost.Context, each of which hops to the next. `Hop` is the way to switch.
#pragma once

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/context/detail/fcontext.hpp>

#include <algorithm>
#include <cfenv>
#include <cstddef>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "../common/frames.hpp"
#include "../common/measure.hpp"

namespace raw = boost::context::detail;

/// Address space for n stacks, whose pages come when they are touched.
class slab {
public:
    static constexpr std::size_t stack_size = 64 * 1024;

    explicit slab(std::size_t n) : count_(n), size_(n * stack_size) {
        void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
        madvise(memory, size_, MADV_NOHUGEPAGE);
        memory_ = static_cast<char*>(memory);
    }
    slab(const slab&) = delete;
    ~slab() { munmap(memory_, size_); }

    /// What overflows stack i faults instead of reaching the next one.
    void guard(std::size_t i) const {
        if (madvise(bottom(i), 4096, guard_install) != 0 && mprotect(bottom(i), 4096, PROT_NONE) != 0) {
            throw std::system_error(errno, std::generic_category(), "mprotect");
        }
    }
    /// The same for each up to stack i, and some more: several at a time cost half as much.
    void guard_up_to(std::size_t i) {
        while (guarded_ <= i) {
            if (!guard_next_few()) guard(guarded_++);
        }
    }
    char* bottom(std::size_t i) const { return memory_ + i * stack_size; }
    /// Coloured: tops at one offset modulo 64 KiB would share a cache set.
    char* top(std::size_t i) const { return bottom(i) + stack_size - i % 16 * 64; }

private:
    static constexpr int guard_install = 102;  // MADV_GUARD_INSTALL

    bool guard_next_few() {
        constexpr int self = -10000;  // PIDFD_SELF
        iovec guards[64];
        const std::size_t n = std::min(std::size(guards), count_ - guarded_);
        for (std::size_t i = 0; i < n; ++i) guards[i] = {bottom(guarded_ + i), 4096};
        const long bytes = syscall(SYS_process_madvise, self, guards, n, guard_install, 0);
        if (bytes != static_cast<long>(n) * 4096) return false;
        guarded_ += n;
        return true;
    }

    std::size_t count_;
    std::size_t size_;
    std::size_t guarded_ = 0;
    char* memory_;
};

/// A `scheduled` hop knows, as a run queue does, who comes after the next, and fetches the frames of that one. A `deep`
/// one is three frames deep.
enum class kind { shallow, scheduled, deep, deep_with_flags };

template <class Hop>
class ring {
    struct member {
        raw::fcontext_t context;
        member* next;
        ring* owner;
        bool is_inexact;
    };

public:
    ring(std::size_t n, kind k) : stacks_(n), members_(n) {
        std::feclearexcept(FE_ALL_EXCEPT);
        const auto body = k == kind::shallow     ? circle<kind::shallow>
                          : k == kind::scheduled ? circle<kind::scheduled>
                                                 : circle<kind::deep>;
        for (std::size_t i = 0; i < n; ++i) {
            members_[i] = {raw::make_fcontext(stacks_.top(i), slab::stack_size - 1024, body),
                           &members_[i + 1 == n ? 0 : i + 1], this, k == kind::deep_with_flags && i % 2 == 0};
        }
        resume_ = starting = members_.data();
    }

    long run(long n) {
        const long before = hops_;
        left_ = n;
        Hop::hop(home_, resume_->context);
        return hops_ - before;
    }

private:
    static void fetch(raw::fcontext_t context) {
        for (int line = 0; line < 3; ++line) __builtin_prefetch(static_cast<char*>(context) + line * 64);
    }

    template <kind Kind>
    static void circle(raw::transfer_t t) {
        Hop::arrived(t);
        member& self = *std::exchange(starting, starting->next);
        ring& owner = *self.owner;
        volatile double three = 3, third;
        auto hop = [&] {
            ++owner.hops_;
            if constexpr (Kind == kind::scheduled) fetch(self.next->next->context);
            if (self.is_inexact) third = 1.0 / three;
            if (--owner.left_ == 0) {
                owner.resume_ = self.next;
                Hop::hop(self.context, owner.home_);
            } else {
                Hop::hop(self.context, self.next->context);
            }
        };
        for (;;) {
            if constexpr (Kind == kind::deep) {
                measure::three_frames_deep(hop);
            } else {
                hop();
            }
        }
    }

    static inline member* starting = nullptr;  // they start in order

    slab stacks_;
    std::vector<member> members_;
    raw::fcontext_t home_ = nullptr;
    member* resume_;
    long left_ = 0;
    long hops_ = 0;
};

struct jump {
    static void hop(raw::fcontext_t& from, raw::fcontext_t to) { arrived(raw::jump_fcontext(to, &from)); }
    static void arrived(raw::transfer_t t) { *static_cast<raw::fcontext_t*>(t.data) = t.fctx; }
};

/// What it runs on arrival executes a `ret`, which keeps the prediction of returns in step.
struct ontop {
    static raw::transfer_t save(raw::transfer_t t) {
        *static_cast<raw::fcontext_t*>(t.data) = t.fctx;
        return t;
    }
    static void hop(raw::fcontext_t& from, raw::fcontext_t to) { raw::ontop_fcontext(to, &from, save); }
    static void arrived(raw::transfer_t) {}
};

/// Two contexts that are at different places: this one, and one of its own. Each switches to the other.
template <class Hop>
class pair_of_places {
public:
    pair_of_places() {
        other_ = raw::make_fcontext(stacks_.top(1), slab::stack_size - 1024, answer);
        Hop::hop(home_, other_);
    }

    /// n is even.
    long run(long n) {
        const long before = hops_;
        auto there = [] {
            ++hops_;
            Hop::hop(home_, other_);
        };
        for (; n > 0; n -= 2) measure::three_frames_deep(there);
        return hops_ - before;
    }

private:
    static void answer(raw::transfer_t t) {
        Hop::arrived(t);
        Hop::hop(other_, home_);
        auto back = [] {
            ++hops_;
            Hop::hop(other_, home_);
        };
        for (;;) measure::three_frames_deep(back);
    }

    static inline raw::fcontext_t home_ = nullptr;
    static inline raw::fcontext_t other_ = nullptr;
    static inline long hops_ = 0;

    slab stacks_{2};
};

template <class Hop>
measure::outcome pair_hops(const measure::plan& p) {
    pair_of_places<Hop> both;
    return p.repeat(p.size, [&](long n) { return both.run(n); });
}

template <class Hop, kind Kind>
measure::outcome hops(const measure::plan& p) {
    ring<Hop> r(static_cast<std::size_t>(p.size), Kind);
    return p.repeat(p.size, [&](long n) { return r.run(n); });
}
