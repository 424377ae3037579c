// select of two channels.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

#include <optional>

namespace {

/// Both have a value.
void select_ready(benchmark::State& state) {
    coir::channel<int> a(1), b(1);
    a.send(1);
    b.send(2);
    for (auto _ : state) {
        coir::select(coir::on_recv(a, [&](std::optional<int> i) { a.try_send(*i); }),
                     coir::on_recv(b, [&](std::optional<int> i) { b.try_send(*i); }));
    }
}
BENCHMARK(select_ready);

/// It waits each time; time per value.
void select_waiting(benchmark::State& state) {
    coir::channel<int> a, b;
    bool stop = false;
    auto sender = coir::spawn([&] {
        while (!stop) {
            a.send(1);
            b.send(2);
        }
        a.close();
    });
    long sum = 0;
    const auto add = [&](std::optional<int> i) { sum += i.value_or(0); };
    for (auto _ : state) coir::select(coir::on_recv(a, add), coir::on_recv(b, add));
    benchmark::DoNotOptimize(sum);
    stop = true;
    while (a.recv_for(std::chrono::milliseconds(1)) || b.recv_for(std::chrono::milliseconds(1))) {
    }
    sender.join();
}
BENCHMARK(select_waiting);

}  // namespace
