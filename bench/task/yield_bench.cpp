// Letting the next one run, with few and with many that want to.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace {

void yield(benchmark::State& state) {
    const auto others = static_cast<std::size_t>(state.range(0)) - 1;
    bool stop = false;
    long yields = 0;
    std::vector<coir::task<void>> tasks(others);
    for (auto& t : tasks) {
        t = coir::spawn({.stack_size = 64 * 1024}, [&] {
            for (; !stop; ++yields) coir::this_fiber::yield();
        });
    }
    coir::this_fiber::yield();
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(others + 1) * 10)) {
        for (int round = 0; round < 10; ++round) coir::this_fiber::yield();
    }
    stop = true;
    for (auto& t : tasks) t.join();
}
BENCHMARK(yield)->Arg(2)->Arg(1000)->Arg(100'000);

/// Two fibers that wake each other in turn: a park, a wake and a switch each.
void park_and_wake(benchmark::State& state) {
    coir::event ping;
    coir::event pong;
    bool stop = false;
    auto other = coir::spawn([&] {
        for (;;) {
            ping.wait();
            ping.clear();
            if (stop) return;
            pong.set();
        }
    });
    while (state.KeepRunningBatch(2)) {
        ping.set();
        pong.wait();
        pong.clear();
    }
    stop = true;
    ping.set();
    other.join();
}
BENCHMARK(park_and_wake);

}  // namespace
