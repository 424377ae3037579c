#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

namespace {

void semaphore_free(benchmark::State& state) {
    coir::semaphore permits(1);
    for (auto _ : state) {
        permits.acquire();
        permits.release();
    }
}
BENCHMARK(semaphore_free);

/// Two fibers that wake each other in turn; time per wake.
void semaphore_handed_over(benchmark::State& state) {
    coir::semaphore ping, pong;
    bool stop = false;
    auto other = coir::spawn([&] {
        while (ping.acquire(), !stop) pong.release();
    });
    while (state.KeepRunningBatch(2)) {
        ping.release();
        pong.acquire();
    }
    stop = true;
    ping.release();
    other.join();
}
BENCHMARK(semaphore_handed_over);

}  // namespace
