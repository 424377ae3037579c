#include "database.hpp"

#include "commands.hpp"

namespace mini_redis {

void throw_wrong_type() { throw command_error("WRONGTYPE Operation against a key holding the wrong kind of value"); }

database::entries::iterator database::locate(std::string_view key) {
    const auto at = entries_.find(key);
    if (at == entries_.end() || !at->second.expires || *at->second.expires > now()) return at;
    erase(at);
    return entries_.end();
}

value* database::find(std::string_view key) {
    const auto at = locate(key);
    return at == entries_.end() ? nullptr : &at->second.content;
}

void database::set(std::string_view key, std::string_view text, bool keep_expiry) {
    const auto at = locate(key);
    if (at == entries_.end()) {
        entries_.try_emplace(std::string(key), entry{string_value(text)});
        return;
    }
    if (!keep_expiry) forget_expiry(at);
    value& content = at->second.content;
    if (auto* const old = std::get_if<string_value>(&content)) {
        old->assign(text);
    } else {
        content.emplace<string_value>(text);
    }
}

bool database::erase(std::string_view key) {
    const auto at = locate(key);
    if (at == entries_.end()) return false;
    erase(at);
    return true;
}

void database::erase(entries::iterator at) {
    forget_expiry(at);
    entries_.erase(at);
}

std::optional<database::time_point> database::expiry(std::string_view key) {
    const auto at = locate(key);
    return at == entries_.end() ? std::nullopt : at->second.expires;
}

void database::expire_at(std::string_view key, time_point when) {
    const auto at = locate(key);
    if (at == entries_.end()) return;
    forget_expiry(at);
    expiries_.emplace(when, at->first);
    at->second.expires = when;
}

bool database::persist(std::string_view key) {
    const auto at = locate(key);
    if (at == entries_.end() || !at->second.expires) return false;
    forget_expiry(at);
    return true;
}

void database::forget_expiry(entries::iterator at) {
    if (!at->second.expires) return;
    expiries_.erase({*at->second.expires, at->first});
    at->second.expires.reset();
}

std::size_t database::remove_expired(std::size_t most) {
    const time_point at_most = now();
    std::size_t removed = 0;
    while (removed < most && !expiries_.empty() && expiries_.begin()->first <= at_most) {
        erase(entries_.find(expiries_.begin()->second));
        ++removed;
    }
    return removed;
}

void database::clear() noexcept {
    expiries_.clear();
    entries_.clear();
}

}  // namespace mini_redis
