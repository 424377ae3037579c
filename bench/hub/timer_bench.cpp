// The timer queue by itself, and a timeout as a program has it, with a million others pending.
#include <coir/hub.hpp>
#include <coir/task.hpp>

#include "hub/timer_queue.hpp"

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

namespace {

struct idle_timer final : coir::detail::timer {
    void expire() noexcept override {}
};

/// n timers, all to come within the next minute.
struct pending_timers {
    explicit pending_timers(std::size_t n) : timers(n) {
        for (auto& t : timers) queue.arm(t, later());
    }
    ~pending_timers() {
        for (auto& t : timers) queue.cancel(t);
    }
    std::int64_t later() { return now + static_cast<std::int64_t>(random() % 60'000'000'000u); }

    std::minstd_rand random{1};
    std::int64_t now = coir::detail::steady_now();
    coir::detail::timer_queue queue;
    std::vector<idle_timer> timers;
};

void arm_and_cancel_a_fresh_one(benchmark::State& state) {
    pending_timers pending(static_cast<std::size_t>(state.range(0)));
    idle_timer fresh;
    std::int64_t due = pending.now + 30'000'000'000;
    for (auto _ : state) {
        pending.queue.arm(fresh, ++due);
        benchmark::DoNotOptimize(fresh);
        pending.queue.cancel(fresh);
    }
}
BENCHMARK(arm_and_cancel_a_fresh_one)->Arg(10)->Arg(1'000'000);

void cancel_and_rearm_a_random_one(benchmark::State& state) {
    pending_timers pending(static_cast<std::size_t>(state.range(0)));
    std::minstd_rand random(2);
    const std::int64_t due = pending.now + 30'000'000'000;
    for (auto _ : state) {
        idle_timer& t = pending.timers[random() % pending.timers.size()];
        pending.queue.cancel(t);
        pending.queue.arm(t, due + static_cast<std::int64_t>(random()));
    }
}
BENCHMARK(cancel_and_rearm_a_random_one)->Arg(10)->Arg(1'000'000);

void a_timeout_scope(benchmark::State& state) {
    using namespace std::chrono_literals;
    for (auto _ : state) coir::timeout limit(30s);
}
BENCHMARK(a_timeout_scope);

}  // namespace
