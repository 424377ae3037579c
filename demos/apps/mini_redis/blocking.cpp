#include "blocking.hpp"

#include "session.hpp"

#include <utility>

namespace mini_redis {

std::string pop_element(database& data, std::string_view key, list_value& list, list_end end) {
    std::string taken = std::move(end == list_end::front ? list.front() : list.back());
    end == list_end::front ? list.pop_front() : list.pop_back();
    data.erase_if_empty(key, list);
    return taken;
}

/// One wait. It stands in the queue of each of its keys, until it is served or goes out of scope.
class blocked_clients::waiter {
public:
    waiter(blocked_clients& all, session& client, std::span<const std::string_view> keys, list_end end)
        : all_(all), client_(client), end_(end) {
        for (const std::string_view key : keys) {
            queue& line = all_.queues_[std::string(key)];
            places_.push_back({std::string(key), line.insert(line.end(), this)});
        }
        ++all_.waiting_count_;
    }
    ~waiter() {
        leave();
        --all_.waiting_count_;
    }
    waiter(const waiter&) = delete;

    void give_up() noexcept {
        if (served_) return;
        client_.close();
        woken_.set();
    }

    /// Unless its client turns out to have gone: then the element is for the next one.
    void take_from(std::string_view key, list_value& list) {
        leave();
        if (client_.peer_has_gone()) return give_up();
        served_ = {std::string(key), pop_element(all_.data_, key, list, end_)};
        woken_.set();
    }

    std::optional<element> wait(coir::deadline limit) {
        woken_.wait_until(limit);
        return std::move(served_);
    }

private:
    struct place {
        std::string key;
        queue::iterator at;
    };

    void leave() noexcept {
        for (const place& p : std::exchange(places_, {})) {
            const auto line = all_.queues_.find(p.key);
            line->second.erase(p.at);
            if (line->second.empty()) all_.queues_.erase(line);
        }
    }

    blocked_clients& all_;
    session& client_;
    const list_end end_;
    std::vector<place> places_;
    std::optional<element> served_;
    coir::event woken_;
};

std::optional<blocked_clients::element> blocked_clients::wait(session& client, std::span<const std::string_view> keys,
                                                              list_end end, coir::deadline limit) {
    waiter self(*this, client, keys, end);
    const session::hangup_watch watch(client, [&self] { self.give_up(); });
    return self.wait(limit);
}

void blocked_clients::serve(std::string_view key) {
    for (;;) {
        const auto line = queues_.find(key);
        if (line == queues_.end()) return;
        auto* const list = data_.find_as<list_value>(key);
        if (!list) return;
        line->second.front()->take_from(key, *list);
    }
}

}  // namespace mini_redis
