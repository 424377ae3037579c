#include "echo_load.hpp"

#include "latency.hpp"
#include "progress.hpp"
#include "terminal.hpp"

#include <coir/coir.hpp>
#include <coir/net.hpp>

#include <sys/resource.h>

#include <array>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

namespace tour {

namespace {

using namespace std::chrono_literals;
using coir::net::tcp_listener;
using coir::net::tcp_stream;
using clock = std::chrono::steady_clock;
using message = std::array<char, message_size>;

/// The server: this is all of it.
void echo(tcp_stream stream) {
    message block;
    while (const std::size_t n = stream.read_some(block)) stream.write_all({block.data(), n});
}

/// As many descriptors as `wanted`, or as the system grants.
std::size_t raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return limit.rlim_cur;
    const rlimit enough{wanted, std::max<rlim_t>(wanted, limit.rlim_max)};
    if (::setrlimit(RLIMIT_NOFILE, &enough) == 0) return wanted;  // above the hard limit only for root
    const rlimit most{limit.rlim_max, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &most);
    return limit.rlim_max;
}

std::size_t possible_connections(std::size_t wanted) {
    constexpr std::size_t others = 64;  // standard streams, the hub's, the listener's, and some to spare
    const std::size_t descriptors = raise_descriptor_limit(2 * wanted + others);
    const std::size_t possible = std::min(wanted, (descriptors - std::min(descriptors, others)) / 2);
    if (possible < wanted) {
        print("    {}\n", red(fmt::format("A process may have {} descriptors here (ulimit -n): {} connections, not {}.",
                                          grouped(descriptors), grouped(possible), grouped(wanted))));
    }
    return possible;
}

/// A message that no other connection sends, nor this one again soon.
message make_message(std::size_t connection, std::uint64_t number) {
    message text;
    std::uint64_t state = connection * 0x9E3779B97F4A7C15u + number;
    for (std::size_t i = 0; i < text.size(); i += sizeof state) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        std::memcpy(text.data() + i, &state, sizeof state);
    }
    return text;
}

std::uint64_t count_differences(const message& a, const message& b) {
    if (a == b) return 0;
    std::uint64_t different = 0;
    for (std::size_t i = 0; i < a.size(); ++i) different += a[i] != b[i];
    return different;
}

/// All connections, from the client's side.
class echo_load {
public:
    echo_load(const coir::net::address& server, std::size_t connections) : server_(server), streams_(connections) {}

    std::chrono::nanoseconds connect() {
        const auto start = clock::now();
        const progress bar("connecting", [this] {
            const auto all = static_cast<double>(streams_.size());
            return progress_state{static_cast<double>(open_) / all, grouped(open_) + " connections"};
        });
        coir::task_group openers;  // more at a time would overflow the listener's queue
        for (int i = 0; i < 64; ++i) {
            openers.spawn([this] {
                while (next_ < streams_.size()) {
                    tcp_stream& stream = streams_[next_++];
                    stream = tcp_stream::connect(server_);
                    ++open_;
                }
            });
        }
        openers.join();
        return clock::now() - start;
    }

    /// Each connection sends a message, checks what comes back, and so on; with a `period`, one in each.
    load_figures run(const char* label, clock::duration length, clock::duration period) {
        latencies_ = {};
        start_ = clock::now();
        end_ = start_ + length;
        {
            const progress bar(label, [this] { return state(); });
            coir::task_group clients;
            for (std::size_t i = 0; i < streams_.size(); ++i) {
                clients.spawn({.name = fmt::format("client {}", i)}, [this, i, period] { talk(i, period); });
            }
            clients.join();
        }
        const std::chrono::duration<double> took = clock::now() - start_;
        return {latencies_.count(), static_cast<double>(latencies_.count()) / took.count(), latencies_.percentile(0.5),
                latencies_.percentile(0.99)};
    }

    std::uint64_t wrong_bytes() const noexcept { return wrong_bytes_; }
    std::uint64_t failures() const noexcept { return failures_; }

private:
    progress_state state() const {
        const std::chrono::duration<double> passed = clock::now() - start_;
        const std::chrono::duration<double> all = end_ - start_;
        const double rate = static_cast<double>(latencies_.count()) / passed.count();
        return {passed / all, fmt::format("{} messages, {} a second", grouped(latencies_.count()),
                                          grouped(static_cast<std::uint64_t>(rate)))};
    }

    /// One connection's side of a phase.
    void talk(std::size_t connection, clock::duration period) {
        // Spread over the period, so that they do not all come at once.
        auto due = start_ + period * connection / streams_.size();
        try {
            while (clock::now() < end_ && due < end_) {
                if (period != 0s) coir::this_fiber::sleep_until(std::exchange(due, due + period));
                exchange(connection);
            }
        } catch (const std::exception&) {
            ++failures_;
        }
    }

    void exchange(std::size_t connection) {
        tcp_stream& stream = streams_[connection];
        const message sent = make_message(connection, latencies_.count());
        message got;
        const auto start = clock::now();
        stream.write_all(sent);
        stream.read_exactly(got);
        latencies_.add(clock::now() - start);
        wrong_bytes_ += count_differences(sent, got);
    }

    coir::net::address server_;
    std::vector<tcp_stream> streams_;
    std::size_t next_ = 0;
    std::size_t open_ = 0;
    clock::time_point start_;
    clock::time_point end_;
    latency_histogram latencies_;
    std::uint64_t wrong_bytes_ = 0;
    std::uint64_t failures_ = 0;
};

}  // namespace

load_report run_echo_load(const load_options& options) {
    load_report report;
    report.connections = possible_connections(options.connections);
    tcp_listener listener = tcp_listener::bind("127.0.0.1", 0);
    auto server = coir::spawn({.name = "server"}, [&] { coir::net::serve(listener, echo); });
    {
        echo_load load(listener.local_address(), report.connections);
        report.connecting = load.connect();
        report.at_full_speed = load.run("full speed", options.at_full_speed, 0s);
        report.at_ease = load.run("at ease", options.at_ease, 1s);
        report.wrong_bytes = load.wrong_bytes();
        report.failures = load.failures();
    }  // the clients hang up
    listener.close();
    server.get();
    return report;
}

}  // namespace tour
