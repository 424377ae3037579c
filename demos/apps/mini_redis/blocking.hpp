// Clients that wait for an element of a list: BLPOP and BRPOP.
#pragma once

#include "database.hpp"

#include <coir/base/deadline.hpp>
#include <coir/sync.hpp>

#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mini_redis {

class session;

enum class list_end { front, back };

/// The key may go away with its last element.
std::string pop_element(database& data, std::string_view key, list_value& list, list_end end);

/// For each list, who came first is served first.
class blocked_clients {
public:
    struct element {
        std::string key;
        std::string content;
    };

    explicit blocked_clients(database& data) noexcept : data_(data) {}

    /// Suspends until a push has served the client, the limit is over, or the client has gone. An element
    /// that was taken for it is always returned.
    std::optional<element> wait(session& client, std::span<const std::string_view> keys, list_end end,
                                coir::deadline limit);

    /// Hands out elements of a list that has just grown. Never suspends.
    void serve(std::string_view key);

    std::size_t size() const noexcept { return waiting_count_; }

private:
    class waiter;
    using queue = std::list<waiter*>;

    database& data_;
    string_map<queue> queues_;
    std::size_t waiting_count_ = 0;
};

}  // namespace mini_redis
