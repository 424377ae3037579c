// One client, from its first byte to its last.
#pragma once

#include "outbox.hpp"
#include "pubsub.hpp"
#include "request.hpp"

#include <coir/net.hpp>
#include <coir/task.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace mini_redis {

struct server;

class session {
public:
    session(server& host, coir::net::tcp_stream stream);
    ~session();
    session(const session&) = delete;

    /// Serves the client until it goes, or the server stops. Suspends; one fiber's whole life.
    void run();

    /// After what has been answered so far.
    void close() noexcept { closing_ = true; }
    bool is_closing() const noexcept { return closing_; }
    /// Nothing more will be read: who waits for a request finds the end of the stream.
    void stop_reading() noexcept;
    /// The other side has closed the connection, though we may not have read that far.
    bool peer_has_gone() const noexcept;

    std::uint64_t id() const noexcept { return id_; }
    std::string& output() noexcept { return out_.text(); }
    /// Before something else than the next request is waited for.
    void flush() { out_.flush(); }

    subscriber& subscriptions() noexcept { return subscriptions_; }

    std::string name;

    /// While it lives, and the client's fiber waits for something else than input, another fiber reads ahead,
    /// and calls `on_hangup` when it comes to the end.
    class hangup_watch {
    public:
        hangup_watch(session& client, std::function<void()> on_hangup);
        ~hangup_watch();

    private:
        coir::task<void> reading_;
    };

private:
    void serve_requests();
    bool next_request();
    void say_goodbye();
    void read_ahead(const std::function<void()>& on_hangup);

    server& host_;
    const std::uint64_t id_;
    coir::net::tcp_stream stream_;
    input in_;
    request_reader requests_;
    outbox out_;
    subscriber subscriptions_;
    bool closing_ = false;
};

}  // namespace mini_redis
