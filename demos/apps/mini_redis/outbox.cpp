#include "outbox.hpp"

#include <mutex>
#include <system_error>

namespace mini_redis {

outbox::~outbox() {
    if (!delivery_) return;
    const coir::shield until_it_has_ended;
    delivery_.cancel();
    delivery_.join();
}

void outbox::flush() {
    if (pending_.empty()) return;
    const std::lock_guard one_at_a_time(writing_);
    while (!pending_.empty()) {
        sending_.swap(pending_);
        stream_.write_all(sending_);
        sending_.clear();
        if (sending_.capacity() > 2 * large) sending_ = {};
    }
}

void outbox::start_delivery() {
    if (!delivery_) delivery_ = coir::spawn({.name = "delivery"}, [this] { deliver_until_closed(); });
}

void outbox::deliver(std::string_view message) {
    if (sending_.size() + pending_.size() + message.size() > most_undelivered) stream_.close();
    if (!stream_.is_open()) return;
    pending_ += message;
    has_messages_.set();
}

void outbox::deliver_until_closed() {
    try {
        for (;;) {
            has_messages_.wait();
            has_messages_.clear();
            flush();
        }
    } catch (const std::system_error&) {
        stream_.close();  // which ends the client's own fiber as well
    }
}

}  // namespace mini_redis
