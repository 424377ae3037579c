// What a call on another thread costs. Meaningful with at least two processors.
#include <coir/exec.hpp>
#include <coir/hub.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace {

void offload_round_trip(benchmark::State& state) {
    (void)coir::hub::current();
    for (auto _ : state) benchmark::DoNotOptimize(coir::offload([] { return 7; }));
}
BENCHMARK(offload_round_trip)->UseRealTime();

void thread_pool_round_trip(benchmark::State& state) {
    coir::thread_pool pool(1);
    (void)coir::hub::current();
    for (auto _ : state) benchmark::DoNotOptimize(pool.submit([] { return 7; }).get());
}
BENCHMARK(thread_pool_round_trip)->UseRealTime();

/// Time per job, a thousand at a time.
void thread_pool_throughput(benchmark::State& state) {
    coir::thread_pool pool(1);
    (void)coir::hub::current();
    std::vector<coir::future<int>> results(1000);
    while (state.KeepRunningBatch(1000)) {
        for (auto& r : results) r = pool.submit([] { return 7; });
        for (auto& r : results) benchmark::DoNotOptimize(r.get());
    }
}
BENCHMARK(thread_pool_throughput)->UseRealTime();

}  // namespace
