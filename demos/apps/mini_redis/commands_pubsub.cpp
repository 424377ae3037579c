#include "commands.hpp"
#include "server.hpp"
#include "session.hpp"

#include <string>

namespace mini_redis {

namespace {

void publish(call& c) { c.out.integer(static_cast<std::int64_t>(c.host.channels.publish(c.args[1], c.args[2]))); }

void confirm(call& c, std::string_view what, const std::string_view* channel) {
    c.out.array(3);
    c.out.bulk(what);
    channel ? c.out.bulk(*channel) : c.out.null();
    c.out.integer(static_cast<std::int64_t>(c.client.subscriptions().channels().size()));
}

void subscribe(call& c) {
    for (const std::string_view& channel : c.args.subspan(1)) {
        c.client.subscriptions().subscribe(channel);
        confirm(c, "subscribe", &channel);
    }
}

void unsubscribe_from_all(call& c) {
    const auto channels = c.client.subscriptions().channels();  // a copy
    if (channels.empty()) confirm(c, "unsubscribe", nullptr);
    for (const std::string_view channel : channels) {
        c.client.subscriptions().unsubscribe(channel);
        confirm(c, "unsubscribe", &channel);
    }
}

void unsubscribe(call& c) {
    if (c.args.size() == 1) return unsubscribe_from_all(c);
    for (const std::string_view& channel : c.args.subspan(1)) {
        c.client.subscriptions().unsubscribe(channel);
        confirm(c, "unsubscribe", &channel);
    }
}

constexpr command table[] = {
    {"publish", 3, access::none, no_key, publish, "Sends a message to a channel; says to how many clients"},
    {"subscribe", -2, access::none, no_key, subscribe, "Listens to channels"},
    {"unsubscribe", -1, access::none, no_key, unsubscribe, "Listens no longer to some channels, or to none"},
};

}  // namespace

constinit const std::span<const command> pubsub_commands = table;

}  // namespace mini_redis
