// Time limits as a program has them, and the hub's timer queue by itself.
#include <coir/task.hpp>

#include <chrono>
#include <optional>
#include <vector>

#include "hub/timer_queue.hpp"
#include "works.hpp"

namespace {

constexpr std::int64_t second = 1'000'000'000;

coir::deadline at(std::int64_t ns) {
    return coir::deadline::at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns)));
}

/// Time limits of p.size scopes that are open.
struct open_scopes {
    explicit open_scopes(long n) : scopes(static_cast<std::size_t>(n)) {
        for (auto& scope : scopes) scope.emplace(later());
    }
    coir::deadline later() { return at(now + 30 * second + static_cast<std::int64_t>(random.next() % (60 * second))); }

    measure::random random;
    const std::int64_t now = coir::detail::steady_now();
    std::vector<std::optional<coir::timeout>> scopes;
};

struct idle_timer final : coir::detail::timer {
    void expire() noexcept override {}
};

struct bare_queue {
    explicit bare_queue(long n) : timers(static_cast<std::size_t>(n)) {
        for (auto& t : timers) queue.arm(t, later());
    }
    ~bare_queue() {
        for (auto& t : timers) queue.cancel(t);
    }
    std::int64_t later() { return now + 30 * second + static_cast<std::int64_t>(random.next() % (60 * second)); }

    measure::random random;
    const std::int64_t now = coir::detail::steady_now();
    coir::detail::timer_queue queue;
    std::vector<idle_timer> timers;
};

}  // namespace

measure::outcome timer_cancel(const measure::plan& p) {
    const open_scopes others(p.size);
    std::int64_t due = others.now + 30 * second;
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            coir::timeout limit(at(++due));
            cancelled += !limit.expired();
        }
        return cancelled;
    });
}

measure::outcome timer_rearm(const measure::plan& p) {
    open_scopes others(p.size);
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            auto& scope = others.scopes[others.random.below(others.scopes.size())];
            cancelled += !scope->expired();
            scope.emplace(others.later());
        }
        return cancelled;
    });
}

measure::outcome timer_core_cancel(const measure::plan& p) {
    bare_queue others(p.size);
    idle_timer fresh;
    std::int64_t due = others.now + 30 * second;
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            others.queue.arm(fresh, ++due);
            asm volatile("" ::"g"(&fresh) : "memory");
            others.queue.cancel(fresh);
            cancelled += !fresh.is_linked();
        }
        return cancelled;
    });
}

measure::outcome timer_core_rearm(const measure::plan& p) {
    bare_queue others(p.size);
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            idle_timer& t = others.timers[others.random.below(others.timers.size())];
            others.queue.cancel(t);
            cancelled += !t.is_linked();
            others.queue.arm(t, others.later());
        }
        return cancelled;
    });
}

/// A timer is a fiber that sleeps.
measure::outcome timer_expire(const measure::plan& p) {
    std::vector<coir::task<bool>> sleepers(static_cast<std::size_t>(p.size));
    const auto arm = [&](std::int64_t first) {
        for (long i = 0; i < p.size; ++i) {
            const std::int64_t due = first + measure::spread(i, p.size);
            sleepers[static_cast<std::size_t>(i)] = coir::spawn({.stack_size = 64 * 1024}, [due] {
                coir::this_fiber::sleep_until(at(due));
                return coir::detail::steady_now() >= due;
            });
        }
    };
    const auto sleep_until = [](std::int64_t ns) { coir::this_fiber::sleep_until(at(ns)); };
    return measure::timer_expire(p, 8000, arm, sleep_until, [&] {
        long long in_time = 0;
        for (auto& s : sleepers) in_time += s.get();
        return in_time;
    });
}
