// One message at a time on each connection: sent, awaited, compared, sent again.
#include "histogram.hpp"
#include "report.hpp"
#include "socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace load {

namespace {

constexpr std::int64_t patience = 5'000'000'000;  // for an answer, when nothing else is asked
constexpr std::uint32_t opened_at_once = 128;

struct connection {
    int fd = -1;
    std::uint32_t sequence = 0;
    std::uint32_t received = 0;
    std::int64_t sent_at = 0;
};

class echo_load {
public:
    echo_load(int port, std::uint32_t connections, std::size_t message_size)
        : dialer_(port),
          connections_(connections),
          message_((message_size + 7) / 8),
          answer_(std::make_unique<char[]>(message_size)),
          size_(message_size) {}

    ~echo_load() {
        for (const connection& c : connections_) ::close(c.fd);
    }

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
    /// Bytes that no other message has at these places.
    const char* compose(std::uint32_t id) noexcept {
        std::uint64_t word = (std::uint64_t{id} << 32 | connections_[id].sequence) * 0x9e3779b97f4a7c15u;
        for (std::uint64_t& w : message_) w = word += 0xd1342543de82ef95u;
        return reinterpret_cast<const char*>(message_.data());
    }

    void send(std::uint32_t id, std::int64_t at) {
        connection& c = connections_[id];
        ++c.sequence;
        c.received = 0;
        c.sent_at = at;
        ++outstanding_;
        // The answer to the last message is complete, so there is room for this one.
        const ssize_t n = ::send(c.fd, compose(id), size_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n != static_cast<ssize_t>(size_)) lose(c);
    }

    void lose(connection& c) noexcept {
        ++wrong_;
        if (c.received < size_) --outstanding_;
        ::close(c.fd);
        c.fd = -1;
    }

    void receive(std::uint32_t id) {
        connection& c = connections_[id];
        if (c.fd < 0) return;
        const ssize_t n = ::recv(c.fd, answer_.get(), size_ - c.received, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0 || std::memcmp(answer_.get(), compose(id) + c.received, static_cast<std::size_t>(n)) != 0) {
            return lose(c);
        }
        c.received += static_cast<std::uint32_t>(n);
        if (c.received < size_) return;
        const std::int64_t at = now();
        latencies_.add(at - c.sent_at);
        ++answered_;
        --outstanding_;
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
    std::vector<std::uint64_t> message_;
    std::unique_ptr<char[]> answer_;
    std::size_t size_;
    histogram latencies_;
    std::uint64_t answered_ = 0;
    std::uint64_t outstanding_ = 0;
    std::uint64_t wrong_ = 0;
    bool is_asking_ = false;
};

std::string field(const char* name, double value) {
    return std::string(", \"") + name + "\": " + std::to_string(value);
}

}  // namespace

std::string echo(int port, std::uint32_t connections, int milliseconds, std::size_t message_size) {
    const std::int64_t span = std::int64_t{milliseconds} * 1'000'000;
    echo_load load(port, connections, message_size);
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
