// <coir/net/server.hpp>: a task for each connection.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/fiber/stack.hpp>
#include <coir/net/tcp.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <stop_token>
#include <utility>

namespace coir::net {

struct serve_options {
    /// At most so many at a time; further ones wait in the listener's backlog.
    std::size_t max_connections = std::numeric_limits<std::size_t>::max();
    /// Asks the server to end; from any thread.
    std::stop_token stop = {};
    /// At the end, how long connections may go on before they are cancelled.
    time_span drain = std::chrono::seconds(5);
    /// Of the stack of each connection's task.
    std::size_t stack_size = default_stack_size;
};

namespace detail {
void serve(tcp_listener& listener, const std::function<void(tcp_stream)>& handler, const serve_options& options);
}

/// Accepts until the listener is closed or the stop token asks; each connection is handled by a task of its own. Then
/// stops accepting (the listener is closed), waits for the connections until `drain` is over, cancels those that are
/// left, and returns when none is. A handler's error ends its own connection and goes to on_unhandled; the handler's
/// stream is closed when it returns. Suspends until the end. Cancellation: cancels the connections, waits for them,
/// and throws. Example: tests/net/server_test.cpp
template <class Handler>
requires std::invocable<Handler&, tcp_stream>
void serve(tcp_listener& listener, Handler&& handler, const serve_options& options = {}) {
    detail::serve(
        listener, [&handler](tcp_stream stream) { std::invoke(handler, std::move(stream)); }, options);
}

}  // namespace coir::net
