#include <coir/net/tcp.hpp>

#include "base/syscall.hpp"
#include "net/io_loop.hpp"

#include <coir/net/dns.hpp>

#include <netinet/tcp.h>

#include <fmt/format.h>

#include <vector>

namespace coir::net {

std::size_t tcp_stream::read_some(mutable_buffer buffer) {
    std::error_code ec;
    const std::size_t n = read_some(buffer, ec);
    throw_if(ec, "read", socket_);
    return n;
}

std::size_t tcp_stream::read_exactly(mutable_buffer buffer, std::error_code& ec) {
    std::size_t got = 0;
    ec.clear();
    while (got < buffer.size()) {
        const std::size_t n = read_some(buffer.skip(got), ec);
        if (ec || n == 0) break;
        got += n;
    }
    return got;
}

void tcp_stream::read_exactly(mutable_buffer buffer) {
    std::error_code ec;
    const std::size_t got = read_exactly(buffer, ec);
    throw_if(ec, "read", socket_);
    if (got < buffer.size()) throw end_of_stream(got);
}

std::size_t tcp_stream::write_some(const_buffer buffer) {
    std::error_code ec;
    const std::size_t n = write_some(buffer, ec);
    throw_if(ec, "write", socket_);
    return n;
}

void tcp_stream::write_all(const_buffer buffer) {
    std::error_code ec;
    write_all(buffer, ec);
    throw_if(ec, "write", socket_);
}

void tcp_stream::shutdown_write() {
    std::error_code ec;
    shutdown_write(ec);
    throw_if(ec, "shutdown", socket_);
}

address tcp_stream::local_address() const {
    std::error_code ec;
    const address a = socket_.local_address(ec);
    throw_if(ec, "getsockname", socket_);
    return a;
}

address tcp_stream::peer_address() const {
    std::error_code ec;
    const address a = socket_.peer_address(ec);
    throw_if(ec, "getpeername", socket_);
    return a;
}

void tcp_stream::set_no_delay(bool on) {
    std::error_code ec;
    socket_.set_option(IPPROTO_TCP, TCP_NODELAY, on, ec);
    throw_if(ec, "setsockopt TCP_NODELAY", socket_);
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
    if (!ec && coir::detail::sys.bind(s.fd(), at.native(), at.native_size()) != 0) ec = detail::from_errno(errno);
    if (!ec && coir::detail::sys.listen(s.fd(), options.backlog) != 0) ec = detail::from_errno(errno);
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

tcp_listener tcp_listener::bind(const std::string& host, int port, const listen_options& options,
                                std::error_code& ec) {
    try {
        return bind(resolve(host, port).front(), options, ec);
    } catch (const std::system_error& e) {
        ec = e.code();
        return {};
    }
}

tcp_stream tcp_listener::accept() {
    std::error_code ec;
    tcp_stream accepted = accept(ec);
    throw_if(ec, "accept", socket_);
    return accepted;
}

address tcp_listener::local_address() const {
    std::error_code ec;
    const address a = socket_.local_address(ec);
    throw_if(ec, "getsockname", socket_);
    return a;
}

}  // namespace coir::net
