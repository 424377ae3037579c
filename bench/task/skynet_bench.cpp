// skynet: a ten-way tree of tasks, each of which spawns its children and sums what they give; 1,000,000 leaves.
#include <coir/task.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <string>

namespace {

constexpr long leaves = 1'000'000;

/// Resident memory at its highest since the last reset, in MiB.
double peak_memory() {
    std::ifstream status("/proc/self/status");
    std::string word;
    double kib = 0;
    while (status >> word && word != "VmHWM:") {
    }
    status >> kib;
    return kib / 1024;
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << '5'; }

template <class Spawn>
long skynet(Spawn& spawn, long first, long size) {
    if (size == 1) return first;
    std::array<coir::task<long>, 10> children;
    const long part = size / 10;
    for (std::size_t i = 0; i < children.size(); ++i) {
        children[i] =
            spawn([&spawn, from = first + static_cast<long>(i) * part, part] { return skynet(spawn, from, part); });
    }
    long sum = 0;
    for (auto& child : children) sum += child.get();
    return sum;
}

template <class Spawn>
void run(benchmark::State& state, Spawn spawn) {
    for (auto _ : state) {
        reset_peak_memory();
        const long sum = spawn([&] { return skynet(spawn, 0, leaves); }).get();
        if (sum != leaves * (leaves - 1) / 2) throw std::logic_error("skynet has miscounted");
        state.counters["peak_MiB"] = peak_memory();
    }
}

void skynet_one_hub(benchmark::State& state) {
    run(state, [](auto body) { return coir::spawn({.stack_size = 64 * 1024}, std::move(body)); });
}
BENCHMARK(skynet_one_hub)->Unit(benchmark::kMillisecond)->Iterations(3);

void skynet_hub_pool(benchmark::State& state) {
    coir::hub_pool hubs(static_cast<std::size_t>(state.range(0)));
    run(state, [&](auto body) { return hubs.spawn({.stack_size = 64 * 1024}, std::move(body)); });
}
BENCHMARK(skynet_hub_pool)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->Iterations(3)->UseRealTime();

}  // namespace
