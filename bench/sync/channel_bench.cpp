// Passing values between fibers of one hub.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

namespace {

/// Time per message, two of them a round.
void channel_ping_pong(benchmark::State& state) {
    const auto capacity = static_cast<std::size_t>(state.range(0));
    coir::channel<int> ping(capacity);
    coir::channel<int> pong(capacity);
    auto other = coir::spawn([&] {
        for (int i : ping) pong.send(i);
    });
    while (state.KeepRunningBatch(2)) {
        ping.send(1);
        benchmark::DoNotOptimize(pong.recv());
    }
    ping.close();
    other.join();
}
BENCHMARK(channel_ping_pong)->Arg(0)->Arg(1);

void channel_stream(benchmark::State& state) {
    coir::channel<int> numbers(static_cast<std::size_t>(state.range(0)));
    auto sum = coir::spawn([&] {
        long total = 0;
        for (int i : numbers) total += i;
        return total;
    });
    for (auto _ : state) numbers.send(1);
    numbers.close();
    benchmark::DoNotOptimize(sum.get());
}
BENCHMARK(channel_stream)->Arg(128);

}  // namespace
