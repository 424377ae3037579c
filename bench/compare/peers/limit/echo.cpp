// What the machine allows: one edge-triggered epoll set, each socket registered once, two system calls per message.
#include "listen.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

namespace {

struct connection {
    explicit connection(int descriptor) : fd(descriptor) {}

    int fd;
    std::uint32_t sent = 0;  // of what is in the buffer
    std::uint32_t filled = 0;
    char buffer[2048];
};

void watch(int epoll, int fd, void* data) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = data;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void accept_all(int epoll, int listener) {
    for (;;) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd < 0) return;
        watch(epoll, fd, new connection(fd));
    }
}

/// False when some is left for the next EPOLLOUT.
bool flush(connection& c) {
    while (c.sent < c.filled) {
        const ssize_t n = ::send(c.fd, c.buffer + c.sent, c.filled - c.sent, MSG_NOSIGNAL);
        if (n < 0) return false;
        c.sent += static_cast<std::uint32_t>(n);
    }
    return true;
}

/// False at the end of the connection.
bool echo(connection& c, std::uint32_t events) {
    // A short read has drained the socket, unless the event tells of an end that is still to be read.
    const bool has_end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    while (flush(c)) {
        const ssize_t n = ::recv(c.fd, c.buffer, sizeof c.buffer, 0);
        if (n <= 0) return n < 0 && errno == EAGAIN;
        c.sent = 0;
        c.filled = static_cast<std::uint32_t>(n);
        if (c.filled < sizeof c.buffer && !has_end && flush(c)) return true;
    }
    return errno == EAGAIN;
}

}  // namespace

int main(int, char** argv) {
    const int listener = listen_on(std::atoi(argv[1]), SOCK_NONBLOCK);
    const int epoll = ::epoll_create1(0);
    watch(epoll, listener, nullptr);
    std::vector<epoll_event> events(512);
    for (;;) {
        const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < n; ++i) {
            auto* c = static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (!c) {
                accept_all(epoll, listener);
            } else if (!echo(*c, events[static_cast<std::size_t>(i)].events)) {
                ::close(c->fd);
                delete c;
            }
        }
    }
}
