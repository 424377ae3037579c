// What is to be sent to one client.
#pragma once

#include <coir/net.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace mini_redis {

/// Replies gather in text() until the client's own fiber flushes them, many in one write. Messages from other
/// clients come through deliver(), and are sent by a second fiber, since the client's own may be waiting for
/// its next request.
class outbox {
public:
    explicit outbox(coir::net::tcp_stream& stream) noexcept : stream_(stream) {}
    ~outbox();

    std::string& text() noexcept { return pending_; }
    bool is_large() const noexcept { return pending_.size() >= large; }

    /// Suspends until all has been handed over.
    void flush();

    /// Needed before deliver().
    void start_delivery();
    /// Never suspends. A client that does not read its messages, so that too many have gathered, loses its
    /// connection.
    void deliver(std::string_view message);

private:
    static constexpr std::size_t large = 64 * 1024;
    static constexpr std::size_t most_undelivered = 8 * 1024 * 1024;

    void deliver_until_closed();

    coir::net::tcp_stream& stream_;
    std::string pending_;
    std::string sending_;
    coir::mutex writing_;
    coir::event has_messages_;
    coir::task<void> delivery_;
};

}  // namespace mini_redis
