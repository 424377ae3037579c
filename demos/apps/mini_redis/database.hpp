// What the server keeps: keys, each with a value of one of four types, and perhaps a time when it goes away.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

namespace mini_redis {

/// Lets a std::string_view look up a std::string.
struct string_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
};

template <class Value>
using string_map = std::unordered_map<std::string, Value, string_hash, std::equal_to<>>;

using string_value = std::string;
using list_value = std::deque<std::string>;
using hash_value = string_map<std::string>;
using set_value = std::unordered_set<std::string, string_hash, std::equal_to<>>;
using value = std::variant<string_value, list_value, hash_value, set_value>;

/// The key holds a value of another type than the command is for.
[[noreturn]] void throw_wrong_type();

/// A key whose time is over does not exist: whoever looks for it removes it, and remove_expired() those that
/// nobody looks for. Values, once found, stay where they are until they are erased.
class database {
public:
    using clock = std::chrono::steady_clock;
    using time_point = std::chrono::time_point<clock, std::chrono::milliseconds>;

    static time_point now() noexcept { return std::chrono::floor<std::chrono::milliseconds>(clock::now()); }

    /// Null when there is no such key.
    value* find(std::string_view key);
    /// The same for one type; throws when it is of another.
    template <class T>
    T* find_as(std::string_view key);
    /// Makes an empty one of that type where there is none.
    template <class T>
    T& find_or_add(std::string_view key);

    /// Replaces whatever there was; its expiry, too, unless that is to be kept.
    void set(std::string_view key, std::string_view text, bool keep_expiry = false);
    /// False when there was none.
    bool erase(std::string_view key);
    /// A list, hash or set that has lost its last element is no key any more.
    template <class Container>
    void erase_if_empty(std::string_view key, const Container& container);

    std::optional<time_point> expiry(std::string_view key);
    void expire_at(std::string_view key, time_point when);
    /// False when it had no expiry.
    bool persist(std::string_view key);
    /// At most so many, the oldest first; says how many it were.
    std::size_t remove_expired(std::size_t most);

    std::size_t size() const noexcept { return entries_.size(); }
    std::size_t expiring() const noexcept { return expiries_.size(); }
    void clear() noexcept;

private:
    struct entry {
        value content;
        std::optional<time_point> expires = {};
    };
    using entries = string_map<entry>;

    entries::iterator locate(std::string_view key);
    void forget_expiry(entries::iterator at);
    void erase(entries::iterator at);

    entries entries_;
    std::set<std::pair<time_point, std::string_view>> expiries_;  // the names are those in entries_
};

template <class T>
T* database::find_as(std::string_view key) {
    value* const found = find(key);
    if (!found) return nullptr;
    T* const content = std::get_if<T>(found);
    if (!content) throw_wrong_type();
    return content;
}

template <class T>
T& database::find_or_add(std::string_view key) {
    if (T* const found = find_as<T>(key)) return *found;
    return std::get<T>(entries_.try_emplace(std::string(key), entry{T{}}).first->second.content);
}

template <class Container>
void database::erase_if_empty(std::string_view key, const Container& container) {
    if (container.empty()) erase(key);
}

}  // namespace mini_redis
