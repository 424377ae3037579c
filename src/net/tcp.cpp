#include <coir/net/tcp.hpp>

#include "base/syscall.hpp"
#include "hub/io_loop.hpp"

#include <coir/net/dns.hpp>

#include <netinet/tcp.h>

#include <fmt/format.h>

#include <vector>

namespace coir::net {

// The number is looked up before each wait: afterwards the stream may be gone.

void tcp_stream::read_exactly(mutable_buffer buffer) {
    const int fd = native_handle();
    std::error_code ec;
    const std::size_t got = read_exactly(buffer, ec);
    detail::throw_if(ec, "read", fd);
    if (got < buffer.size()) throw end_of_stream(got);
}

std::size_t tcp_stream::write_some(const_buffer buffer) {
    const int fd = native_handle();
    std::error_code ec;
    const std::size_t n = write_some(buffer, ec);
    detail::throw_if(ec, "write", fd);
    return n;
}

void tcp_stream::shutdown_write() {
    std::error_code ec;
    shutdown_write(ec);
    detail::throw_if(ec, "shutdown", native_handle());
}

address tcp_stream::local_address() const {
    std::error_code ec;
    const address a = socket_.local_address(ec);
    detail::throw_if(ec, "getsockname", native_handle());
    return a;
}

address tcp_stream::peer_address() const {
    std::error_code ec;
    const address a = socket_.peer_address(ec);
    detail::throw_if(ec, "getpeername", native_handle());
    return a;
}

void tcp_stream::set_no_delay(bool on) {
    std::error_code ec;
    socket_.set_option(IPPROTO_TCP, TCP_NODELAY, on, ec);
    detail::throw_if(ec, "setsockopt TCP_NODELAY", native_handle());
}

tcp_listener tcp_listener::bind(const address& at, const listen_options& options, std::error_code& ec) {
    tcp_listener made;
    detail::socket s = detail::socket::make(at.native()->sa_family, ec);
    const auto set = [&](int level, int name, int value) {
        if (!ec) s.set_option(level, name, value, ec);
    };
    set(SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port) set(SOL_SOCKET, SO_REUSEPORT, 1);
    if (at.is_v6()) set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only);
    set(IPPROTO_TCP, TCP_NODELAY, 1);  // accepted sockets inherit it
    if (!ec && coir::detail::sys.bind(s.fd(), at.native(), at.native_size()) != 0) ec = coir::detail::from_errno(errno);
    if (!ec && coir::detail::sys.listen(s.fd(), options.backlog) != 0) ec = coir::detail::from_errno(errno);
    if (!ec) made.socket_ = std::move(s);
    return made;
}

tcp_listener tcp_listener::bind(const address& at, const listen_options& options) {
    std::error_code ec;
    tcp_listener made = bind(at, options, ec);
    if (ec) coir::detail::throw_system_error(ec.value(), "listen on " + at.to_string());
    return made;
}

tcp_listener tcp_listener::bind(const std::string& host, int port, const listen_options& options) {
    return bind(resolve(host, port).front(), options);
}

tcp_listener tcp_listener::bind(const std::string& host, int port, const listen_options& options, std::error_code& ec) {
    try {
        return bind(resolve(host, port).front(), options, ec);
    } catch (const std::system_error& e) {
        ec = e.code();
        return {};
    }
}

tcp_stream tcp_listener::accept() {
    const int fd = native_handle();
    std::error_code ec;
    tcp_stream accepted = accept(ec);
    detail::throw_if(ec, "accept", fd);
    return accepted;
}

address tcp_listener::local_address() const {
    std::error_code ec;
    const address a = socket_.local_address(ec);
    detail::throw_if(ec, "getsockname", native_handle());
    return a;
}

}  // namespace coir::net
