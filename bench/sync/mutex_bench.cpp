#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

namespace {

void mutex_free(benchmark::State& state) {
    coir::mutex m;
    for (auto _ : state) {
        m.lock();
        m.unlock();
    }
}
BENCHMARK(mutex_free);

/// Two fibers that yield while they hold it: each lock is handed over.
void mutex_contended(benchmark::State& state) {
    coir::mutex m;
    bool stop = false;
    const auto turn = [&] {
        m.lock();
        coir::this_fiber::yield();
        m.unlock();
    };
    auto other = coir::spawn([&] {
        while (!stop) turn();
    });
    while (state.KeepRunningBatch(2)) turn();
    stop = true;
    other.join();
}
BENCHMARK(mutex_contended);

}  // namespace
