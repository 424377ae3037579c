// Channels: what is published goes to all who have subscribed, and is forgotten.
#pragma once

#include "database.hpp"
#include "outbox.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

namespace mini_redis {

class pubsub;

/// One client's subscriptions; they end with it.
class subscriber {
public:
    subscriber(pubsub& all, outbox& out) noexcept : all_(all), out_(out) {}
    ~subscriber();
    subscriber(const subscriber&) = delete;

    void subscribe(std::string_view channel);
    void unsubscribe(std::string_view channel);
    const std::set<std::string, std::less<>>& channels() const noexcept { return subscriptions_; }

private:
    friend class pubsub;

    pubsub& all_;
    outbox& out_;
    std::set<std::string, std::less<>> subscriptions_;
};

class pubsub {
public:
    /// To how many it went. Never suspends.
    std::size_t publish(std::string_view channel, std::string_view message);
    std::size_t size() const noexcept { return channels_.size(); }

private:
    friend class subscriber;

    string_map<std::unordered_set<subscriber*>> channels_;
};

}  // namespace mini_redis
