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

/// What goes wrong in one connection concerns nobody else.
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

void accept_until_closed(tcp_listener& listener, const std::function<void(tcp_stream)>& handler,
                         const serve_options& options, coir::detail::group_core& connections) {
    for (;;) {
        connections.wait_for_room();
        std::error_code ec;
        tcp_stream accepted = listener.accept(ec);
        if (!listener.is_open()) return;
        if (ec) throw std::system_error(ec, "accept");
        auto connection = spawn({.name = fmt::format("connection fd {}", accepted.native_handle()),
                                 .stack_size = options.stack_size},
                                [&handler](tcp_stream stream) { handle(handler, std::move(stream)); },
                                std::move(accepted));
        connections.add(coir::detail::ref<coir::detail::task_core>(&connection.core()));
    }
}

/// Waits for the connections as long as they may still go on, then cancels them.
void drain(coir::detail::group_core& connections, time_span patience) {
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
    struct closing_group : coir::detail::group_core {
        using group_core::group_core;
        ~closing_group() { close(); }
    } connections(options.max_connections);
    const std::stop_callback on_stop(options.stop, [&listener] { listener.close(); });
    accept_until_closed(listener, handler, options, connections);
    drain(connections, options.drain);
}

}  // namespace coir::net::detail
