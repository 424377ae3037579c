#include "pubsub.hpp"

#include "reply.hpp"

namespace mini_redis {

subscriber::~subscriber() {
    while (!subscriptions_.empty()) unsubscribe(std::string(*subscriptions_.begin()));
}

void subscriber::subscribe(std::string_view channel) {
    if (!subscriptions_.emplace(channel).second) return;
    all_.channels_[std::string(channel)].insert(this);
    out_.start_delivery();
}

void subscriber::unsubscribe(std::string_view channel) {
    const auto mine = subscriptions_.find(channel);
    if (mine == subscriptions_.end()) return;
    subscriptions_.erase(mine);
    const auto all = all_.channels_.find(channel);
    all->second.erase(this);
    if (all->second.empty()) all_.channels_.erase(all);
}

std::size_t pubsub::publish(std::string_view channel, std::string_view message) {
    const auto found = channels_.find(channel);
    if (found == channels_.end()) return 0;

    std::string encoded;  // once for all of them
    reply out(encoded);
    out.array(3);
    out.bulk("message");
    out.bulk(channel);
    out.bulk(message);
    for (subscriber* const client : found->second) client->out_.deliver(encoded);
    return found->second.size();
}

}  // namespace mini_redis
