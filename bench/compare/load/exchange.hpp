// One request at a time on each connection: sent, awaited, checked, sent again.
#pragma once

#include "histogram.hpp"
#include "report.hpp"
#include "socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace load {

enum class verdict { partial, complete, wrong };

/// A dialogue has
/// - request(id, sequence): what the connection sends, valid until the next call;
/// - expected(received): how much to read at most, when so much of the answer is there;
/// - hear(id, sequence, received, bytes): what to think of the answer, when these bytes have come after the received.
template <class Dialogue>
class exchange_load {
public:
    exchange_load(int port, std::uint32_t connections, Dialogue dialogue)
        : dialer_(port), connections_(connections), dialogue_(std::move(dialogue)) {}

    ~exchange_load() {
        for (const connection& c : connections_) ::close(c.fd);
    }

    exchange_load(const exchange_load&) = delete;
    exchange_load& operator=(const exchange_load&) = delete;

    /// Each connection has been answered once when it returns, so that the server has them all.
    void open() {
        for (std::uint32_t i = 0; i < connections_.size(); ++i) {
            connections_[i].fd = dialer_.dial(0);
            poller_.add(connections_[i].fd, i);
            send(i, now());
            if ((i + 1) % opened_at_once == 0) await_answers();
        }
        await_answers();
        if (wrong_ == 0) return;
        throw failure("the server failed " + std::to_string(wrong_) + " of " + std::to_string(connections_.size()) +
                      " connections at their first message");
    }

    void start() {
        is_asking_ = true;
        for (std::uint32_t i = 0; i < connections_.size(); ++i) send(i, now());
    }

    /// Counts only what is answered meanwhile; returns how long it was.
    double run(std::int64_t nanoseconds) {
        latencies_.clear();
        answered_ = 0;
        const std::int64_t since = now();
        std::int64_t at = since;
        while ((at = now()) < since + nanoseconds && outstanding_ != 0) receive_some(since + nanoseconds - at);
        return static_cast<double>(at - since) / 1e9;
    }

    /// Waits for the answers to what has been sent.
    void finish() {
        is_asking_ = false;
        await_answers();
    }

    const histogram& latencies() const noexcept { return latencies_; }
    std::uint64_t answered() const noexcept { return answered_; }
    std::uint64_t wrong() const noexcept { return wrong_; }

private:
    static constexpr std::int64_t patience = 5'000'000'000;  // for an answer, when nothing else is asked
    static constexpr std::uint32_t opened_at_once = 128;

    struct connection {
        int fd = -1;
        std::uint32_t sequence = 0;
        std::uint32_t received = 0;
        bool is_waiting = false;
        std::int64_t sent_at = 0;
    };

    void send(std::uint32_t id, std::int64_t at) {
        connection& c = connections_[id];
        ++c.sequence;
        c.received = 0;
        c.sent_at = at;
        c.is_waiting = true;
        ++outstanding_;
        // The answer to the last request is complete, so there is room for this one.
        const std::string_view bytes = dialogue_.request(id, c.sequence);
        const ssize_t n = ::send(c.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n != static_cast<ssize_t>(bytes.size())) lose(c);
    }

    void lose(connection& c) noexcept {
        ++wrong_;
        if (std::exchange(c.is_waiting, false)) --outstanding_;
        ::close(c.fd);
        c.fd = -1;
    }

    void receive(std::uint32_t id) {
        connection& c = connections_[id];
        if (c.fd < 0) return;
        const std::size_t most = std::min(answer_.size(), dialogue_.expected(c.received));
        const ssize_t n = ::recv(c.fd, answer_.data(), most, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0 || !c.is_waiting) return lose(c);
        const std::string_view bytes(answer_.data(), static_cast<std::size_t>(n));
        const verdict judged = dialogue_.hear(id, c.sequence, c.received, bytes);
        c.received += static_cast<std::uint32_t>(n);
        if (judged == verdict::wrong) lose(c);
        if (judged == verdict::complete) complete(id);
    }

    void complete(std::uint32_t id) {
        connection& c = connections_[id];
        const std::int64_t at = now();
        latencies_.add(at - c.sent_at);
        ++answered_;
        --outstanding_;
        c.is_waiting = false;
        if (is_asking_) send(id, at);
    }

    bool receive_some(std::int64_t span) {
        const auto events = poller_.wait(span);
        for (const epoll_event& e : events) receive(e.data.u32);
        return !events.empty();
    }

    /// What has not come when nothing has for a while never will.
    void await_answers() {
        while (outstanding_ != 0 && receive_some(patience)) {
        }
        wrong_ += std::exchange(outstanding_, 0);
    }

    dialer dialer_;
    poller poller_;
    std::vector<connection> connections_;
    Dialogue dialogue_;
    std::array<char, 16384> answer_;
    histogram latencies_;
    std::uint64_t answered_ = 0;
    std::uint64_t outstanding_ = 0;
    std::uint64_t wrong_ = 0;
    bool is_asking_ = false;
};

inline std::string field(const char* name, double value) {
    return std::string(", \"") + name + "\": " + std::to_string(value);
}

/// The whole of it; returns the report.
template <class Dialogue>
std::string run_exchange(int port, std::uint32_t connections, int milliseconds, Dialogue dialogue) {
    const std::int64_t span = std::int64_t{milliseconds} * 1'000'000;
    exchange_load<Dialogue> load(port, connections, std::move(dialogue));
    load.open();
    load.start();
    load.run(std::min<std::int64_t>(span / 4, 300'000'000));  // warm-up
    const double seconds = load.run(span);
    const histogram latencies = load.latencies();
    const std::uint64_t answered = load.answered();
    load.finish();
    return "{\"ops\": " + std::to_string(answered) + ", \"check\": " + std::to_string(load.wrong()) +
           field("per_second", static_cast<double>(answered) / seconds) +
           field("p50_us", latencies.percentile_us(0.5)) + field("p99_us", latencies.percentile_us(0.99)) +
           field("p999_us", latencies.percentile_us(0.999)) + "}";
}

}  // namespace load
