// Making a task, running it, and having its result.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

#include <fstream>
#include <string>
#include <vector>

namespace {

void spawn_and_join(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(coir::spawn([] { return 7; }).get());
}
BENCHMARK(spawn_and_join);

void spawn_many_then_join(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    std::vector<coir::task<std::size_t>> tasks(n);
    while (state.KeepRunningBatch(state.range(0))) {
        for (std::size_t i = 0; i < n; ++i) tasks[i] = coir::spawn([i] { return i; });
        for (auto& t : tasks) benchmark::DoNotOptimize(t.get());
    }
}
BENCHMARK(spawn_many_then_join)->Arg(1000);

/// Resident bytes of the process and of its page tables.
double memory_in_use() {
    std::ifstream status("/proc/self/status");
    std::string word;
    double kib = 0;
    while (status >> word) {
        double n = 0;
        if ((word == "VmRSS:" || word == "VmPTE:") && status >> n) kib += n;
    }
    return kib * 1024;
}

void create_and_park(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    for (auto _ : state) {
        coir::event go;
        std::vector<coir::task<void>> tasks(n);
        const double before = memory_in_use();
        for (auto& t : tasks) t = coir::spawn({.stack_size = 64 * 1024}, [&] { go.wait(); });
        coir::this_fiber::yield();
        state.PauseTiming();
        state.counters["bytes_per_fiber"] = (memory_in_use() - before) / static_cast<double>(n);
        go.set();
        for (auto& t : tasks) t.join();
        coir::hub::current().trim();
        coir::hub::current().trim();
        state.ResumeTiming();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(create_and_park)->Arg(100'000)->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
