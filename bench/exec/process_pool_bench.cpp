// Jobs in other processes: what it costs to have one run there.
#include <coir/exec/process_pool.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

#include <unistd.h>

#include <cstddef>
#include <string>

namespace {

int next(int n) { return n + 1; }

/// Time of one small job, from submit to its result, when nothing else goes on.
void process_pool_round_trip(benchmark::State& state) {
    coir::process_pool pool(1);
    for (auto _ : state) benchmark::DoNotOptimize(pool.submit(next, 1).get());
}
BENCHMARK(process_pool_round_trip)->UseRealTime();

/// Time per small job when there are always enough of them.
void process_pool_throughput(benchmark::State& state) {
    coir::process_pool pool(static_cast<std::size_t>(state.range(0)));
    coir::channel<coir::future<int>> results(100);
    auto reader = coir::spawn([&] {
        for (auto& result : results) benchmark::DoNotOptimize(result.get());
    });
    for (auto _ : state) results.send(pool.submit(next, 1));
    results.close();
    reader.join();
}
BENCHMARK(process_pool_throughput)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

/// There and back, in bytes per second each way.
void process_pool_payload(benchmark::State& state) {
    coir::process_pool pool(1);
    const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
    for (auto _ : state) {
        benchmark::DoNotOptimize(pool.submit([](std::string s) { return s; }, text).get());
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(process_pool_payload)->Arg(64 << 10)->Arg(10 << 20)->UseRealTime();

/// A worker that dies with its job, and its successor.
void process_pool_replacement(benchmark::State& state) {
    coir::process_pool pool(1);
    for (auto _ : state) {
        try {
            pool.submit([] { ::_exit(1); }).get();
        } catch (const coir::broken_process_pool&) {
        }
    }
}
BENCHMARK(process_pool_replacement)->UseRealTime();

}  // namespace
