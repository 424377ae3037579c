// Echo of 64 bytes between fibers of one thread: both ends' work is in the figure.
#include <coir/coir.hpp>

#include <benchmark/benchmark.h>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <vector>

namespace {

void raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void echo(coir::net::tcp_stream stream) {
    std::array<char, 2048> buffer;
    while (const std::size_t n = stream.read_some(buffer)) stream.write_all({buffer.data(), n});
}

void round_trip(coir::net::tcp_stream& stream) {
    std::array<char, 64> message{};
    stream.write_all(message);
    stream.read_exactly(message);
}

/// Each iteration is one message on each connection.
void echo_round(benchmark::State& state) {
    raise_descriptor_limit();
    const auto n = static_cast<std::size_t>(state.range(0));
    auto listener = coir::net::tcp_listener::bind("127.0.0.1", 0);
    auto server = coir::spawn([&] { coir::net::serve(listener, echo); });
    std::vector<coir::net::tcp_stream> clients(n);
    for (auto& c : clients) c = coir::net::tcp_stream::connect(listener.local_address());
    bool stop = false;
    std::size_t rounds = 0;
    std::vector<coir::task<void>> tasks;
    for (std::size_t i = 1; i < n; ++i) {
        tasks.push_back(coir::spawn({.stack_size = 32 * 1024}, [&, i] {
            for (; !stop; ++rounds) round_trip(clients[i]);
        }));
    }
    for (auto _ : state) {
        round_trip(clients[0]);
        ++rounds;
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(rounds));
    stop = true;
    for (auto& t : tasks) t.join();
    for (auto& c : clients) c.close();
    listener.close();
    server.join();
}
BENCHMARK(echo_round)->Arg(1)->Arg(100)->Arg(1000);

}  // namespace
