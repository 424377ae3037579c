// <coir/net/tcp.hpp>: TCP connections and listeners.
//
// A stream or listener belongs to the hub of its first wait, and moves to another when nobody waits on it; waiting
// from two hubs at once is fiber_error. One fiber may read while another writes. close() may be called from any
// thread. Each operation throws std::system_error, whose text names it and the fd or address; the overload that takes
// a std::error_code fills that instead.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/net/address.hpp>
#include <coir/net/detail/socket.hpp>
#include <coir/net/stream.hpp>

#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

namespace coir::net {

struct connect_options {
    /// For all of it: the name, and all addresses that are tried.
    time_span timeout = time_span::forever();
};

/// A connection. TCP_NODELAY is on. A byte_stream: see there for what suspends and what cancellation does.
/// Example: tests/net/tcp_test.cpp
class tcp_stream {
public:
    /// Not connected; only assignment and is_open make sense.
    tcp_stream() noexcept = default;

    /// Suspends until connected. A name is resolved on a helper thread; of its addresses, the next one is tried when
    /// one has failed or 250 ms have passed, both families in turn, and the first connection wins (RFC 8305). Throws
    /// timed_out when the limit is over. A cancellation point: nothing is left open.
    static tcp_stream connect(const std::string& host, int port, const connect_options& options = {});
    /// With an error_code the limit, too, is one: std::errc::timed_out.
    static tcp_stream connect(const std::string& host, int port, const connect_options& options, std::error_code& ec);
    static tcp_stream connect(const address& to, const connect_options& options = {});
    static tcp_stream connect(const address& to, const connect_options& options, std::error_code& ec);

    std::size_t read_some(mutable_buffer buffer) { return socket_.read_some(buffer); }
    std::size_t read_some(mutable_buffer buffer, std::error_code& ec) { return socket_.read_some(buffer, ec); }
    /// Fills the buffer. Throws end_of_stream when the stream ends before.
    void read_exactly(mutable_buffer buffer);
    /// How much of it was read; less than its size with an error, or no error at the end of the stream.
    std::size_t read_exactly(mutable_buffer buffer, std::error_code& ec) { return socket_.read_exactly(buffer, ec); }

    /// Suspends until at least one byte was taken; says how many.
    std::size_t write_some(const_buffer buffer);
    std::size_t write_some(const_buffer buffer, std::error_code& ec) { return socket_.write_some(buffer, ec); }
    void write_all(const_buffer buffer) { socket_.write_all(buffer); }
    void write_all(const_buffer buffer, std::error_code& ec) { socket_.write_all(buffer, ec); }

    /// The other side reads the end of the stream; what it sends can still be read. Never suspends.
    void shutdown_write();
    void shutdown_write(std::error_code& ec) noexcept { socket_.shutdown_write(ec); }

    /// Wakes whoever waits, with an error, and frees the descriptor. Again is nothing. Any thread; never suspends.
    void close() noexcept { socket_.close(); }
    bool is_open() const noexcept { return socket_.is_open(); }

    address local_address() const;
    address peer_address() const;
    void set_no_delay(bool on);
    /// The descriptor, for options that are not here; -1 when closed.
    int native_handle() const noexcept { return socket_.fd(); }

    /// Not for use outside coir.
    explicit tcp_stream(detail::socket s) noexcept : socket_(std::move(s)) {}

private:
    detail::socket socket_;
};

struct listen_options {
    /// Connections that wait to be accepted; the system's limit (net.core.somaxconn) is the most.
    int backlog = 4096;
    /// Several listeners, of several threads or processes, may share the port; the kernel spreads the connections.
    bool reuse_port = false;
    /// "::" takes IPv4 connections as well, unless this is set.
    bool v6_only = false;
};

/// Accepts connections. Example: tests/net/tcp_test.cpp
class tcp_listener {
public:
    tcp_listener() noexcept = default;

    /// Port 0 lets the system choose: see local_address(). SO_REUSEADDR is on. Suspends only to resolve a name.
    static tcp_listener bind(const std::string& host, int port, const listen_options& options = {});
    static tcp_listener bind(const std::string& host, int port, const listen_options& options, std::error_code& ec);
    static tcp_listener bind(const address& at, const listen_options& options = {});
    static tcp_listener bind(const address& at, const listen_options& options, std::error_code& ec);

    /// Suspends until there is a connection. What only concerns a connection that has gone again is passed over; while
    /// the process or the machine is out of descriptors or memory it waits, from 10 ms up to a second, and tries again.
    /// A cancellation point: loses no connection.
    tcp_stream accept();
    tcp_stream accept(std::error_code& ec) { return tcp_stream(socket_.accept(ec)); }

    /// Wakes whoever accepts, with an error. Again is nothing. Any thread.
    void close() noexcept { socket_.close(); }
    bool is_open() const noexcept { return socket_.is_open(); }
    address local_address() const;
    int native_handle() const noexcept { return socket_.fd(); }

    /// Suspends until somebody closes it. A cancellation point.
    void wait_until_closed() { socket_.wait_until_closed(); }

private:
    detail::socket socket_;
};

static_assert(byte_stream<tcp_stream>);

}  // namespace coir::net
