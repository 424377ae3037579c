#include "server.hpp"

#include "session.hpp"

#include <coir/task.hpp>

#include <cstddef>
#include <utility>

namespace mini_redis {

using namespace std::chrono_literals;

namespace {

/// Keys that nobody asks for any more have to go as well, a few at a time.
void remove_expired_keys(database& data) {
    constexpr std::size_t batch = 1000;
    for (;;) {
        coir::this_fiber::sleep_for(100ms);
        while (data.remove_expired(batch) == batch) coir::this_fiber::yield();
    }
}

}  // namespace

void server::run() {
    coir::task_group helpers;
    helpers.spawn({.name = "expiry"}, remove_expired_keys, std::ref(data));
    coir::net::serve(listener, [this](coir::net::tcp_stream stream) { session(*this, std::move(stream)).run(); },
                     {.drain = 5s});
    helpers.cancel();
}

void server::stop() noexcept {
    stopping = true;
    listener.close();
    for (session* const client : sessions) client->stop_reading();
}

}  // namespace mini_redis
