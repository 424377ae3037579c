// What the machine allows: one edge-triggered epoll set, each socket registered once.
#pragma once

#include "listen.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

inline void watch(int epoll, int fd, void* data) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = data;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/// A connection has `fd`, and handle(events), which is false at its end.
template <class Connection>
void accept_all(int epoll, int listener) {
    for (;;) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd < 0) return;
        watch(epoll, fd, new Connection(fd));
    }
}

template <class Connection>
[[noreturn]] void serve(int port) {
    const int listener = listen_on(port, SOCK_NONBLOCK);
    const int epoll = ::epoll_create1(0);
    watch(epoll, listener, nullptr);
    std::vector<epoll_event> events(512);
    for (;;) {
        const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < n; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            auto* c = static_cast<Connection*>(event.data.ptr);
            if (!c) {
                accept_all<Connection>(epoll, listener);
            } else if (!c->handle(event.events)) {
                ::close(c->fd);
                delete c;
            }
        }
    }
}

/// A short read has drained the socket, unless the event tells of an end that is still to be read.
inline bool has_end(std::uint32_t events) { return (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0; }
