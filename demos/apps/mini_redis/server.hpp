// What all clients share.
#pragma once

#include "blocking.hpp"
#include "database.hpp"
#include "pubsub.hpp"

#include <coir/net.hpp>

#include <chrono>
#include <cstdint>
#include <unordered_set>

namespace mini_redis {

class session;

struct server {
    explicit server(coir::net::tcp_listener& l) noexcept : listener(l) {}
    server(const server&) = delete;

    /// Serves until stop(). Suspends.
    void run();
    /// Accepts nothing new; commands that have begun end, and then their clients' connections do. Never
    /// suspends.
    void stop() noexcept;

    coir::net::tcp_listener& listener;
    database data;
    blocked_clients blocked{data};
    pubsub channels;
    std::unordered_set<session*> sessions;
    bool stopping = false;

    const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    std::uint64_t connections_so_far = 0;
    std::uint64_t commands_so_far = 0;
};

}  // namespace mini_redis
