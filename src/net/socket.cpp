#include <coir/net/detail/socket.hpp>

#include "base/syscall.hpp"
#include "hub/io_loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace coir::net::detail {

using coir::detail::direction;
using coir::detail::fd_watch;
using coir::detail::from_errno;
using coir::detail::sys;
using coir::detail::wake_reason;

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
        case EPERM:
            return true;  // EPERM: a firewall rule
        default:
            return false;
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

using watch_ref = coir::detail::ref<fd_watch>;

/// The stream is what its user needs next. It lies above the user's buffer as a rule, so after a wait no cache has it: it is fetched
/// while the kernel works.
[[gnu::always_inline]] inline ssize_t read_from(const socket* stream, fd_watch& watch, watch_ref& kept,
                                                mutable_buffer buffer) {
    if (buffer.empty()) return 0;
    return io(watch, kept, direction::read, buffer.size(), [&](int fd) {
        __builtin_prefetch(stream);
        return sys.recv(fd, buffer.data(), buffer.size(), 0);
    });
}

[[gnu::always_inline]] inline ssize_t write_to(fd_watch& watch, watch_ref& kept, const_buffer buffer) {
    if (buffer.empty()) return 0;
    return io(watch, kept, direction::write, buffer.size(),
              [&](int fd) { return sys.send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL); });
}

std::size_t read_from(const socket* stream, fd_watch& watch, mutable_buffer buffer, std::error_code& ec) {
    watch_ref kept;
    const ssize_t n = read_from(stream, watch, kept, buffer);
    ec = from_errno(n < 0 ? static_cast<int>(-n) : 0);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
}

/// Goes on after a write that took `n` bytes, or failed.
[[gnu::noinline]] void write_rest(fd_watch& watch, watch_ref& kept, int fd, const_buffer buffer, ssize_t n) {
    while (n >= 0) {
        buffer = buffer.skip(static_cast<std::size_t>(n));
        if (buffer.empty()) return;
        n = write_to(watch, kept, buffer);
    }
    throw_if(from_errno(static_cast<int>(-n)), "write", fd);
}

std::size_t write_to(fd_watch& watch, const_buffer buffer, std::error_code& ec) {
    watch_ref kept;
    const ssize_t n = write_to(watch, kept, buffer);
    ec = from_errno(n < 0 ? static_cast<int>(-n) : 0);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
}

using name_call = int (*)(int, sockaddr*, socklen_t*) noexcept;

address name_of(fd_watch* watch, name_call call, std::error_code& ec) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    auto* native = reinterpret_cast<sockaddr*>(&storage);
    if (at_once(watch, ec, [&](int fd) { return call(fd, native, &size); }) != 0) return {};
    return address::from_native(native, size);
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
    return read_from(this, *watch_, buffer, ec);
}

std::size_t socket::read_some(mutable_buffer buffer) {
    fd_watch* const watch = watch_;
    if (!watch || watch->is_closed()) [[unlikely]]
        throw_if(from_errno(EBADF), "read", -1);
    const int fd = watch->fd();
    watch_ref kept;
    const ssize_t n = read_from(this, *watch, kept, buffer);
    if (n < 0) [[unlikely]]
        throw_if(from_errno(static_cast<int>(-n)), "read", fd);
    return static_cast<std::size_t>(n);
}

void socket::write_all(const_buffer buffer) {
    fd_watch* const watch = watch_;
    if (!watch || watch->is_closed()) [[unlikely]]
        throw_if(from_errno(EBADF), "write", -1);
    const int fd = watch->fd();
    watch_ref kept;
    const ssize_t n = write_to(*watch, kept, buffer);
    if (n == static_cast<ssize_t>(buffer.size())) [[likely]]
        return;
    write_rest(*watch, kept, fd, buffer, n);
}

std::size_t socket::read_exactly(mutable_buffer buffer, std::error_code& ec) {
    if (!is_open()) return ec = from_errno(EBADF), 0;
    const watch_ref watch(watch_);
    std::size_t got = 0;
    ec.clear();
    while (got < buffer.size()) {
        const std::size_t n = read_from(this, *watch, buffer.skip(got), ec);
        if (n == 0) break;
        got += n;
    }
    return got;
}

std::size_t socket::write_some(const_buffer buffer, std::error_code& ec) {
    if (!is_open()) return ec = from_errno(EBADF), 0;
    const watch_ref watch(watch_);
    return write_to(*watch, buffer, ec);
}

void socket::write_all(const_buffer buffer, std::error_code& ec) {
    if (!is_open()) return void(ec = from_errno(EBADF));
    const watch_ref watch(watch_);
    do {
        buffer = buffer.skip(write_to(*watch, buffer, ec));
    } while (!ec && !buffer.empty());
}

void socket::shutdown_write(std::error_code& ec) noexcept {
    at_once(watch_, ec, [](int fd) { return sys.shutdown(fd, SHUT_WR); });
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
    const watch_ref watch(watch_);
    auto pause = std::chrono::milliseconds(10);
    for (;;) {
        const ssize_t fd = io(*watch, direction::read, 0, ec, [](int listener) -> ssize_t {
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

void socket::wait_until_closed() {
    if (!is_open()) return;
    const watch_ref watch(watch_);
    do {
        watch->not_ready(direction::write);  // a listener never is
    } while (watch->wait(direction::write, deadline::never()) != wake_reason::closed);
}

void socket::set_option(int level, int name, int on, std::error_code& ec) noexcept {
    at_once(watch_, ec, [&](int fd) { return sys.setsockopt(fd, level, name, &on, sizeof on); });
}

address socket::local_address(std::error_code& ec) const { return name_of(watch_, ::getsockname, ec); }

address socket::peer_address(std::error_code& ec) const { return name_of(watch_, ::getpeername, ec); }

void throw_if(const std::error_code& ec, const char* operation, int fd) {
    if (!ec) return;
    if (fd >= 0) coir::detail::throw_system_error(ec.value(), operation, fd);
    coir::detail::throw_system_error(ec.value(), fmt::format("{}: the socket is closed", operation));
}

}  // namespace coir::net::detail
