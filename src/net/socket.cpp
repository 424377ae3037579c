#include <coir/net/detail/socket.hpp>

#include "base/syscall.hpp"
#include "net/io_loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace coir::net::detail {

using coir::detail::sys;

namespace {

/// What the kernel says of a connection that has gone before it was accepted, or of the network for a moment.
bool concerns_one_connection(int error) noexcept {
    switch (error) {
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case EPERM: return true;  // EPERM: a firewall rule
        default: return false;
    }
}

bool is_shortage(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// Connecting to a free local port may choose that very port for its own end, and meet itself.
bool is_connected_to_itself(int fd) noexcept {
    sockaddr_storage local{};
    sockaddr_storage peer{};
    socklen_t local_size = sizeof local;
    socklen_t peer_size = sizeof peer;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_size) != 0) return false;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return false;
    if (local.ss_family != AF_INET && local.ss_family != AF_INET6) return false;
    return address::from_native(reinterpret_cast<sockaddr*>(&local), local_size) ==
           address::from_native(reinterpret_cast<sockaddr*>(&peer), peer_size);
}

address name_of(int (*get)(int, sockaddr*, socklen_t*) noexcept, int fd, std::error_code& ec) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (get(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
        ec = from_errno(errno);
        return {};
    }
    ec.clear();
    return address::from_native(reinterpret_cast<sockaddr*>(&storage), size);
}

}  // namespace

socket::socket(int fd) : watch_(fd_watch::make(fd).release()) {}

socket socket::make(int family, std::error_code& ec) {
    const int fd = sys.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ec = from_errno(fd < 0 ? errno : 0);
    return fd < 0 ? socket() : socket(fd);
}

socket::~socket() {
    if (!watch_) return;
    watch_->close();
    watch_->drop_ref();
}

int socket::fd() const noexcept { return watch_ && !watch_->is_closed() ? watch_->fd() : -1; }

void socket::close() noexcept {
    if (watch_) watch_->close();
}

std::size_t socket::read_some(mutable_buffer buffer, std::error_code& ec) {
    if (!is_open()) return ec = from_errno(EBADF), 0;
    if (buffer.empty()) return ec.clear(), 0;
    const coir::detail::ref<fd_watch> watch(watch_);  // it may be closed, and destroyed, meanwhile
    const ssize_t n = io(*watch, direction::read, ec,
                         [&](int fd) { return sys.recv(fd, buffer.data(), buffer.size(), 0); });
    if (n < 0) return 0;
    const auto got = static_cast<std::size_t>(n);
    if (got != 0 && got < buffer.size()) watch->short_read();
    return got;
}

std::size_t socket::write_some(const_buffer buffer, std::error_code& ec) {
    if (!is_open()) return ec = from_errno(EBADF), 0;
    if (buffer.empty()) return ec.clear(), 0;
    const coir::detail::ref<fd_watch> watch(watch_);
    const ssize_t n = io(*watch, direction::write, ec,
                         [&](int fd) { return sys.send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL); });
    if (n < 0) return 0;
    const auto sent = static_cast<std::size_t>(n);
    if (sent < buffer.size()) watch->not_ready(direction::write);
    return sent;
}

void socket::write_all(const_buffer buffer, std::error_code& ec) {
    do {
        buffer = buffer.skip(write_some(buffer, ec));
    } while (!ec && !buffer.empty());
}

void socket::shutdown_write(std::error_code& ec) noexcept {
    if (!is_open()) return void(ec = from_errno(EBADF));
    ec = from_errno(sys.shutdown(watch_->fd(), SHUT_WR) == 0 ? 0 : errno);
}

void socket::connect(const address& to, std::error_code& ec) {
    if (sys.connect(fd(), to.native(), to.native_size()) != 0 && errno != EINPROGRESS && errno != EINTR) {
        return void(ec = from_errno(errno));
    }
    watch_->not_ready(direction::write);
    for (;;) {
        if (watch_->wait(direction::write, deadline::never()) == wake_reason::closed) {
            return void(ec = from_errno(EBADF));
        }
        int error = 0;  // reading it clears it
        socklen_t size = sizeof error;
        if (sys.getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        if (error != 0) return void(ec = from_errno(error));
        (void)peer_address(ec);
        if (ec != std::errc::not_connected) break;
        watch_->not_ready(direction::write);  // woken before it was decided
    }
    if (!ec && is_connected_to_itself(fd())) ec = from_errno(ECONNREFUSED);
}

socket socket::accept(std::error_code& ec) {
    if (!is_open()) return ec = from_errno(EBADF), socket();
    const coir::detail::ref<fd_watch> watch(watch_);
    auto pause = std::chrono::milliseconds(10);
    for (;;) {
        const ssize_t fd = io(*watch, direction::read, ec, [](int listener) -> ssize_t {
            return sys.accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        });
        if (fd >= 0) return socket(static_cast<int>(fd));
        if (concerns_one_connection(ec.value())) continue;
        if (!is_shortage(ec.value())) return socket();
        // Not a sleep: closing the listener ends it.
        watch->not_ready(direction::read);
        watch->wait(direction::read, deadline::after(pause));
        watch->try_again(direction::read);
        pause = std::min(pause * 2, std::chrono::milliseconds(1000));
    }
}

void socket::set_option(int level, int name, int on, std::error_code& ec) noexcept {
    ec = from_errno(sys.setsockopt(fd(), level, name, &on, sizeof on) == 0 ? 0 : errno);
}

address socket::local_address(std::error_code& ec) const { return name_of(::getsockname, fd(), ec); }

address socket::peer_address(std::error_code& ec) const { return name_of(::getpeername, fd(), ec); }

void throw_if(const std::error_code& ec, const char* operation, const socket& s) {
    if (!ec) return;
    if (s.fd() >= 0) coir::detail::throw_system_error(ec.value(), operation, s.fd());
    coir::detail::throw_system_error(ec.value(), fmt::format("{}: the socket is closed", operation));
}

}  // namespace coir::net::detail
