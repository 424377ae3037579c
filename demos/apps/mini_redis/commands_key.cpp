#include "commands.hpp"
#include "database.hpp"
#include "expiry.hpp"
#include "numbers.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>

namespace mini_redis {

namespace {

void del(call& c) {
    c.out.integer(std::ranges::count_if(c.args.subspan(1), [&](std::string_view key) { return c.data.erase(key); }));
}

void exists(call& c) {
    c.out.integer(std::ranges::count_if(c.args.subspan(1), [&](std::string_view key) { return c.data.find(key); }));
}

void type(call& c) {
    static constexpr std::string_view names[] = {"string", "list", "hash", "set"};
    const value* const found = c.data.find(c.args[1]);
    c.out.simple(found ? names[found->index()] : "none");
}

struct expire_condition {
    bool nx = false, xx = false, gt = false, lt = false;

    /// A key without expiry counts as one that lives for ever.
    bool allows(std::optional<database::time_point> old, database::time_point wanted) const noexcept {
        const auto lifetime = old.value_or(database::time_point::max());
        return !(nx && old) && !(xx && !old) && !(gt && wanted <= lifetime) && !(lt && wanted >= lifetime);
    }
};

expire_condition parse_condition(const call& c) {
    expire_condition result;
    for (const std::string_view option : c.args.subspan(3)) {
        if (equal_ignoring_case(option, "nx")) {
            result.nx = true;
        } else if (equal_ignoring_case(option, "xx")) {
            result.xx = true;
        } else if (equal_ignoring_case(option, "gt")) {
            result.gt = true;
        } else if (equal_ignoring_case(option, "lt")) {
            result.lt = true;
        } else {
            throw command_error("ERR Unsupported option " + std::string(option));
        }
    }
    if (result.nx && (result.xx || result.gt || result.lt)) {
        throw command_error("ERR NX and XX, GT or LT options at the same time are not compatible");
    }
    if (result.gt && result.lt) throw command_error("ERR GT and LT options at the same time are not compatible");
    return result;
}

void set_expiry(call& c, time_unit unit, std::string_view command_name) {
    const std::string_view key = c.args[1];
    const expire_condition condition = parse_condition(c);
    const auto when = parse_expiry(c, 2, unit, command_name);
    if (!c.data.find(key) || !condition.allows(c.data.expiry(key), when)) return c.out.integer(0);
    c.data.expire_at(key, when);
    c.out.integer(1);
}

void expire(call& c) { set_expiry(c, time_unit::seconds, "expire"); }
void pexpire(call& c) { set_expiry(c, time_unit::milliseconds, "pexpire"); }

/// -2: no such key; -1: it has no expiry.
void answer_time_left(call& c, time_unit unit) {
    if (!c.data.find(c.args[1])) return c.out.integer(-2);
    const auto expires = c.data.expiry(c.args[1]);
    if (!expires) return c.out.integer(-1);
    const std::int64_t left = std::max<std::int64_t>((*expires - database::now()).count(), 0);
    const auto per_unit = static_cast<std::int64_t>(unit);
    c.out.integer(left / per_unit + (left % per_unit * 2 >= per_unit ? 1 : 0) * (per_unit > 1));
}

void ttl(call& c) { answer_time_left(c, time_unit::seconds); }
void pttl(call& c) { answer_time_left(c, time_unit::milliseconds); }

void persist(call& c) { c.out.integer(c.data.persist(c.args[1])); }

constexpr command table[] = {
    {"del", -2, access::writes, all_keys, del, "Deletes keys; says how many there were"},
    {"exists", -2, access::reads, all_keys, exists, "How many of the keys exist"},
    {"expire", -3, access::writes, one_key, expire, "Lets a key live for so many seconds: [NX|XX|GT|LT]"},
    {"persist", 2, access::writes, one_key, persist, "Lets a key live for ever"},
    {"pexpire", -3, access::writes, one_key, pexpire, "Lets a key live for so many milliseconds: [NX|XX|GT|LT]"},
    {"pttl", 2, access::reads, one_key, pttl, "How many milliseconds a key has left"},
    {"ttl", 2, access::reads, one_key, ttl, "How many seconds a key has left"},
    {"type", 2, access::reads, one_key, type, "What a key holds: string, list, hash, set or none"},
};

}  // namespace

constinit const std::span<const command> key_commands = table;

}  // namespace mini_redis
