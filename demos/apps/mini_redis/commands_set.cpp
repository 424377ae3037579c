#include "commands.hpp"
#include "database.hpp"

namespace mini_redis {

namespace {

void sadd(call& c) {
    set_value& set = c.data.find_or_add<set_value>(c.args[1]);
    std::int64_t added = 0;
    for (const std::string_view member : c.args.subspan(2)) added += set.emplace(member).second;
    c.out.integer(added);
}

void srem(call& c) {
    set_value* const set = c.data.find_as<set_value>(c.args[1]);
    if (!set) return c.out.integer(0);
    std::int64_t removed = 0;
    for (const std::string_view name : c.args.subspan(2)) {
        const auto member = set->find(name);
        if (member == set->end()) continue;
        set->erase(member);
        ++removed;
    }
    c.data.erase_if_empty(c.args[1], *set);
    c.out.integer(removed);
}

void smembers(call& c) {
    const set_value* const set = c.data.find_as<set_value>(c.args[1]);
    if (!set) return c.out.array(0);
    c.out.array(set->size());
    for (const std::string_view member : *set) c.out.bulk(member);
}

constexpr command table[] = {
    {"sadd", -3, access::writes, one_key, sadd, "Adds members to a set; says how many are new"},
    {"smembers", 2, access::reads, one_key, smembers, "All members of a set"},
    {"srem", -3, access::writes, one_key, srem, "Removes members from a set; says how many there were"},
};

}  // namespace

constinit const std::span<const command> set_commands = table;

}  // namespace mini_redis
