#include "commands.hpp"
#include "database.hpp"

#include <string>

namespace mini_redis {

namespace {

void hset(call& c) {
    if (c.args.size() % 2 != 0) throw_wrong_arity("hset");
    hash_value& hash = c.data.find_or_add<hash_value>(c.args[1]);
    std::int64_t added = 0;
    for (std::size_t i = 2; i < c.args.size(); i += 2) {
        const auto [field, is_new] = hash.try_emplace(std::string(c.args[i]));
        field->second.assign(c.args[i + 1]);
        added += is_new;
    }
    c.out.integer(added);
}

void hget(call& c) {
    const hash_value* const hash = c.data.find_as<hash_value>(c.args[1]);
    if (!hash) return c.out.null();
    const auto field = hash->find(c.args[2]);
    field == hash->end() ? c.out.null() : c.out.bulk(field->second);
}

void hgetall(call& c) {
    const hash_value* const hash = c.data.find_as<hash_value>(c.args[1]);
    if (!hash) return c.out.array(0);
    c.out.array(hash->size() * 2);
    for (const auto& [field, content] : *hash) {
        c.out.bulk(field);
        c.out.bulk(content);
    }
}

void hdel(call& c) {
    hash_value* const hash = c.data.find_as<hash_value>(c.args[1]);
    if (!hash) return c.out.integer(0);
    std::int64_t removed = 0;
    for (const std::string_view name : c.args.subspan(2)) {
        const auto field = hash->find(name);
        if (field == hash->end()) continue;
        hash->erase(field);
        ++removed;
    }
    c.data.erase_if_empty(c.args[1], *hash);
    c.out.integer(removed);
}

constexpr command table[] = {
    {"hdel", -3, access::writes, one_key, hdel, "Deletes fields of a hash; says how many there were"},
    {"hget", 3, access::reads, one_key, hget, "A field of a hash"},
    {"hgetall", 2, access::reads, one_key, hgetall, "All fields of a hash, each followed by its value"},
    {"hset", -4, access::writes, one_key, hset, "Sets fields of a hash; says how many are new"},
};

}  // namespace

constinit const std::span<const command> hash_commands = table;

}  // namespace mini_redis
