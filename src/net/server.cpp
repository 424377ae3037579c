#include <coir/net/server.hpp>

#include "fiber/thread_state.hpp"

#include <coir/task/task_group.hpp>
#include <coir/task/this_fiber.hpp>
#include <coir/task/timeout.hpp>

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace coir::net::detail {

namespace {

using connection_group = coir::detail::group_core;

/// What goes wrong in a connection concerns nobody else.
void handle(const std::function<void(tcp_stream)>& handler, tcp_stream stream) {
    try {
        handler(std::move(stream));
    } catch (const cancelled&) {
        throw;
    } catch (const fiber_exit&) {
        throw;
    } catch (...) {
        coir::detail::this_thread().report(this_fiber::name(), std::current_exception());
    }
}

void accept_into(connection_group& connections, tcp_listener& listener, const std::function<void(tcp_stream)>& handler,
                 std::size_t stack_size) {
    for (;;) {
        connection_group::place place(connections);
        tcp_stream accepted = listener.accept();
        auto connection = spawn(
            {.name = fmt::format("connection fd {}", accepted.native_handle()), .stack_size = stack_size},
            [&handler](tcp_stream stream) { handle(handler, std::move(stream)); }, std::move(accepted));
        place.fill(coir::detail::ref<coir::detail::task_core>(&connection.core()));
    }
}

/// Accepts in a task of its own until the listener is closed, also while the server is full. Throws what accepting
/// failed of.
void accept_until_closed(connection_group& connections, tcp_listener& listener,
                         const std::function<void(tcp_stream)>& handler, std::size_t stack_size) {
    struct closer {
        tcp_listener& listener;
        ~closer() { listener.close(); }
    };
    task_group acceptor;
    acceptor.spawn({.name = "accept"}, [&] {
        const closer at_end{listener};
        try {
            accept_into(connections, listener, handler, stack_size);
        } catch (const std::exception&) {
            if (listener.is_open()) throw;
        }
    });
    const closer at_end{listener};
    listener.wait_until_closed();
    acceptor.cancel();
    acceptor.join();
}

/// Waits for the connections as long as they may still go on, then cancels them.
void drain(connection_group& connections, time_span patience) {
    timeout limit(patience);
    try {
        connections.join();
    } catch (const timed_out& e) {
        if (!limit.owns(e)) throw;
        connections.cancel();
    }
}

}  // namespace

void serve(tcp_listener& listener, const std::function<void(tcp_stream)>& handler, const serve_options& options) {
    struct closing_group : connection_group {
        using group_core::group_core;
        ~closing_group() { close(); }
    } connections(options.max_connections, connection_group::failure::is_its_own);
    const std::stop_callback on_stop(options.stop, [&listener] { listener.close(); });
    accept_until_closed(connections, listener, handler, options.stack_size);
    drain(connections, options.drain);
}

}  // namespace coir::net::detail
