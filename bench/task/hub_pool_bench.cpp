// What goes between hubs. Meaningful with at least two processors.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <mutex>
#include <vector>

namespace {

/// Two fibers of two hubs that wake each other in turn: the time of one wake, with the other hub asleep.
void cross_hub_wake(benchmark::State& state) {
    coir::hub_pool hubs(1);
    coir::channel<int> ping, pong;
    auto other = hubs.spawn([&] {
        for (int i : ping) pong.send(i);
    });
    while (state.KeepRunningBatch(2)) {
        ping.send(1);
        benchmark::DoNotOptimize(pong.recv());
    }
    ping.close();
    other.join();
}
BENCHMARK(cross_hub_wake)->UseRealTime();

/// Time per value of a stream to another hub.
void cross_hub_stream(benchmark::State& state) {
    coir::hub_pool hubs(1);
    coir::channel<int> numbers(static_cast<std::size_t>(state.range(0)));
    auto sum = hubs.spawn([&] {
        long total = 0;
        for (int i : numbers) total += i;
        return total;
    });
    for (auto _ : state) numbers.send(1);
    numbers.close();
    benchmark::DoNotOptimize(sum.get());
}
BENCHMARK(cross_hub_stream)->Arg(128)->UseRealTime();

void spawn_on_pool(benchmark::State& state) {
    coir::hub_pool hubs(static_cast<std::size_t>(state.range(0)));
    std::vector<coir::task<int>> tasks(1000);
    while (state.KeepRunningBatch(1000)) {
        for (auto& t : tasks) t = hubs.spawn([] { return 7; });
        for (auto& t : tasks) benchmark::DoNotOptimize(t.get());
    }
}
BENCHMARK(spawn_on_pool)->Arg(1)->Arg(2)->UseRealTime();

/// Two hubs on one mutex: it is barged rather than handed to sleepers.
void mutex_between_hubs(benchmark::State& state) {
    coir::mutex m;
    coir::hub_pool hubs(2);
    long count = 0;
    std::atomic<bool> stop{false};
    const auto lock_and_count = [&] {
        const std::lock_guard guard(m);
        ++count;
    };
    auto other = hubs.spawn([&] {
        while (!stop) lock_and_count();
    });
    for (auto _ : state) lock_and_count();
    stop = true;
    other.join();
}
BENCHMARK(mutex_between_hubs)->UseRealTime();

}  // namespace
