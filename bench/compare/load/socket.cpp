#include "socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <string>

namespace load {

namespace {

constexpr std::uint32_t most_sources = 16;

int check(int result, const char* what) {
    if (result >= 0) return result;
    const int error = errno;
    std::string advice;
    if (error == ECONNREFUSED) advice = "; start the server first";
    if (error == EMFILE) advice = "; raise the limit of descriptors (ulimit -Hn)";
    throw failure(std::string(what) + ": " + std::strerror(error) + advice);
}

void set(int fd, int level, int name, const auto& value) {
    check(::setsockopt(fd, level, name, &value, sizeof value), "setsockopt");
}

sockaddr_in loopback(std::uint32_t last_number, int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last_number);
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    return at;
}

const sockaddr* native(const sockaddr_in& at) { return reinterpret_cast<const sockaddr*>(&at); }

}  // namespace

std::int64_t now() noexcept { return std::chrono::steady_clock::now().time_since_epoch().count(); }

void raise_descriptor_limit() {
    rlimit limit{};
    check(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    check(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

int dialer::dial(int flags) {
    for (;; ++source_) {
        const int fd = check(::socket(AF_INET, SOCK_STREAM | flags, 0), "socket");
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (source_ > 1) {
            set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
            check(::bind(fd, native(loopback(source_, 0)), sizeof(sockaddr_in)), "bind");
        }
        const int result = ::connect(fd, native(loopback(1, port_)), sizeof(sockaddr_in));
        if (result == 0 || errno == EINPROGRESS) return fd;
        if (errno != EADDRNOTAVAIL || source_ == most_sources) check(result, "connect");
        ::close(fd);
    }
}

void reset_at_close(int fd) { set(fd, SOL_SOCKET, SO_LINGER, linger{1, 0}); }

poller::poller() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

poller::~poller() { ::close(epoll_); }

void poller::add(int fd, std::uint32_t id) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.u32 = id;
    check(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

std::span<const epoll_event> poller::wait(std::int64_t span) {
    const int ms = static_cast<int>(span / 1'000'000) + 1;
    const int n = ::epoll_wait(epoll_, events_, static_cast<int>(std::size(events_)), ms);
    if (n < 0 && errno != EINTR) check(n, "epoll_wait");
    return {events_, static_cast<std::size_t>(n > 0 ? n : 0)};
}

}  // namespace load
