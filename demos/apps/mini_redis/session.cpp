#include "session.hpp"

#include "commands.hpp"
#include "reply.hpp"
#include "server.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <system_error>
#include <utility>

namespace mini_redis {

using namespace std::chrono_literals;

session::session(server& host, coir::net::tcp_stream stream)
    : host_(host),
      id_(++host.connections_so_far),
      stream_(std::move(stream)),
      in_(stream_),
      requests_(in_),
      out_(stream_),
      subscriptions_(host.channels, out_) {
    host_.sessions.insert(this);
}

session::~session() { host_.sessions.erase(this); }

void session::run() {
    try {
        serve_requests();
        say_goodbye();
    } catch (const std::system_error&) {
        // The client has gone, or was too slow and has been dropped. There is nobody left to tell.
    }
}

void session::serve_requests() {
    try {
        while (!closing_ && next_request()) {
            execute(host_, *this, requests_.current());
            if (out_.is_large()) out_.flush();
        }
    } catch (const protocol_error& error) {
        reply(output()).error(error.what());
    }
}

/// Answers are sent when there is no further request to answer, so a batch of them needs one write.
bool session::next_request() {
    while (!requests_.next()) {
        out_.flush();
        if (host_.stopping || !in_.fill()) return false;
    }
    return true;
}

/// A socket that is closed with input unread resets the connection, and our last words might be lost with it.
void session::say_goodbye() {
    out_.flush();
    stream_.shutdown_write();
    const coir::timeout patience(1s);
    try {
        while (in_.fill()) in_.consume(in_.peek().size());
    } catch (const coir::timed_out& error) {
        if (!patience.owns(error)) throw;
    }
}

void session::stop_reading() noexcept { ::shutdown(stream_.native_handle(), SHUT_RD); }

bool session::peer_has_gone() const noexcept {
    pollfd state{stream_.native_handle(), POLLRDHUP, 0};
    return state.fd < 0 || (::poll(&state, 1, 0) == 1 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
}

session::hangup_watch::hangup_watch(session& client, std::function<void()> on_hangup)
    : reading_(coir::spawn({.name = "hangup watch"},
                           [&client, notify = std::move(on_hangup)] { client.read_ahead(notify); })) {}

session::hangup_watch::~hangup_watch() {
    const coir::shield until_it_has_ended;
    reading_.cancel();
    reading_.join();
}

void session::read_ahead(const std::function<void()>& on_hangup) {
    constexpr std::size_t enough = 1024 * 1024;  // who sends so much is there, and can wait
    try {
        while (in_.fill()) {
            if (in_.peek().size() >= enough) return;
        }
    } catch (const std::system_error&) {
        // A connection that was reset is at its end, too.
    }
    on_hangup();
}

}  // namespace mini_redis
