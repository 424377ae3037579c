// What all kinds of load need of the system.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <stdexcept>

namespace load {

/// Ends the program with this text.
struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Nanoseconds of the steady clock.
std::int64_t now() noexcept;

/// As many descriptors as the hard limit allows.
void raise_descriptor_limit();

/// Opens connections to a port of 127.0.0.1. When one source address has no free port left it goes on with the next.
class dialer {
public:
    explicit dialer(int port) noexcept : port_(port) {}

    /// A descriptor with TCP_NODELAY. With SOCK_NONBLOCK in `flags` it is still connecting.
    int dial(int flags);

private:
    int port_;
    std::uint32_t source_ = 1;  // the last number of 127.0.0.x
};

/// So that no port of either side waits in TIME_WAIT.
void reset_at_close(int fd);

class poller {
public:
    poller();
    ~poller();
    poller(const poller&) = delete;
    poller& operator=(const poller&) = delete;

    /// Edge-triggered, and for the end of the stream as well.
    void add(int fd, std::uint32_t id);
    /// Waits for events, for `span` nanoseconds or a little longer; the ids are in data.u32.
    std::span<const epoll_event> wait(std::int64_t span);

private:
    int epoll_;
    epoll_event events_[512];
};

}  // namespace load
