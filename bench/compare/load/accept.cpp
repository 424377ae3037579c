// Connects as fast as it can: each connection must be told "hello\n" and be closed by the server.
#include "report.hpp"
#include "socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace load {

namespace {

constexpr std::uint32_t most_at_once = 64;
constexpr std::int64_t patience = 5'000'000'000;
constexpr std::string_view greeting = "hello\n";

class accept_load {
public:
    explicit accept_load(int port) : dialer_(port), visits_(most_at_once) {}

    ~accept_load() {
        for (const visit& v : visits_) {
            if (v.fd >= 0) ::close(v.fd);
        }
    }

    void start() {
        is_asking_ = true;
        for (std::uint32_t i = 0; i < visits_.size(); ++i) begin(i);
    }

    /// Counts only what is answered meanwhile; returns how long it was.
    double run(std::int64_t nanoseconds) {
        answered_ = 0;
        const std::int64_t since = now();
        std::int64_t at = since;
        while ((at = now()) < since + nanoseconds) take_some(since + nanoseconds - at);
        return static_cast<double>(at - since) / 1e9;
    }

    /// Waits for those who are still there.
    void finish() {
        is_asking_ = false;
        while (open_ != 0 && take_some(patience)) {
        }
        wrong_ += open_;
    }

    std::uint64_t answered() const noexcept { return answered_; }
    std::uint64_t wrong() const noexcept { return wrong_; }

private:
    struct visit {
        int fd = -1;
        std::string heard;
    };

    void begin(std::uint32_t id) {
        visits_[id].heard.clear();
        visits_[id].fd = dialer_.dial(SOCK_NONBLOCK);
        reset_at_close(visits_[id].fd);
        poller_.add(visits_[id].fd, id);
        ++open_;
    }

    bool take_some(std::int64_t span) {
        const auto events = poller_.wait(span);
        for (const epoll_event& e : events) take(e);
        return !events.empty();
    }

    /// When the end has come with the greeting, as it mostly does, one call takes both.
    void take(const epoll_event& event) {
        visit& v = visits_[event.data.u32];
        if (v.fd < 0) return;
        char bytes[64];
        const ssize_t n = ::recv(v.fd, bytes, sizeof bytes, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n > 0) v.heard.append(bytes, static_cast<std::size_t>(n));
        const bool is_closed = n <= 0 || (event.events & EPOLLRDHUP) != 0;
        if (is_closed) end(event.data.u32, n >= 0 && v.heard == greeting);
    }

    void end(std::uint32_t id, bool is_right) {
        ++(is_right ? answered_ : wrong_);
        --open_;
        ::close(visits_[id].fd);
        visits_[id].fd = -1;
        if (is_asking_) begin(id);
    }

    dialer dialer_;
    poller poller_;
    std::vector<visit> visits_;
    std::uint64_t answered_ = 0;
    std::uint64_t wrong_ = 0;
    std::uint64_t open_ = 0;
    bool is_asking_ = false;
};

}  // namespace

std::string accept(int port, int milliseconds) {
    const std::int64_t span = std::int64_t{milliseconds} * 1'000'000;
    accept_load load(port);
    load.start();
    load.run(std::min<std::int64_t>(span / 4, 300'000'000));  // warm-up
    const double seconds = load.run(span);
    const std::uint64_t answered = load.answered();
    load.finish();
    return "{\"ops\": " + std::to_string(answered) + ", \"check\": " + std::to_string(load.wrong()) +
           ", \"per_second\": " + std::to_string(static_cast<double>(answered) / seconds) + "}";
}

}  // namespace load
