#include "commands.hpp"
#include "database.hpp"
#include "expiry.hpp"
#include "numbers.hpp"

#include <optional>
#include <string>

namespace mini_redis {

namespace {

void bulk_or_null(reply& out, const std::string* text) { text ? out.bulk(*text) : out.null(); }

struct set_options {
    bool only_new = false;
    bool only_existing = false;
    bool keep_expiry = false;
    bool answer_old = false;
    std::optional<time_unit> expiry_unit = {};
    std::size_t expiry_index = 0;
};

set_options parse_set_options(const call& c) {
    set_options options;
    for (std::size_t i = 3; i < c.args.size(); ++i) {
        const auto is = [&](std::string_view word) { return equal_ignoring_case(c.args[i], word); };
        const bool no_expiry_yet = !options.expiry_unit && !options.keep_expiry;
        if (is("nx") && !options.only_existing) {
            options.only_new = true;
        } else if (is("xx") && !options.only_new) {
            options.only_existing = true;
        } else if (is("get")) {
            options.answer_old = true;
        } else if (is("keepttl") && !options.expiry_unit) {
            options.keep_expiry = true;
        } else if ((is("ex") || is("px")) && no_expiry_yet && i + 1 < c.args.size()) {
            options.expiry_unit = is("ex") ? time_unit::seconds : time_unit::milliseconds;
            options.expiry_index = ++i;
        } else {
            throw_syntax_error();
        }
    }
    return options;
}

void set(call& c) {
    const set_options options = parse_set_options(c);
    std::optional<database::time_point> expires;
    if (options.expiry_unit) expires = parse_positive_expiry(c, options.expiry_index, *options.expiry_unit, "set");

    const std::string_view key = c.args[1];
    if (options.answer_old) bulk_or_null(c.out, c.data.find_as<string_value>(key));
    const bool blocked = (options.only_new && c.data.find(key)) || (options.only_existing && !c.data.find(key));
    if (!blocked) {
        c.data.set(key, c.args[2], options.keep_expiry);
        if (expires) c.data.expire_at(key, *expires);
    }
    if (options.answer_old) return;
    blocked ? c.out.null() : c.out.ok();
}

void get(call& c) { bulk_or_null(c.out, c.data.find_as<string_value>(c.args[1])); }

void mset(call& c) {
    if (c.args.size() % 2 == 0) throw_wrong_arity("mset");
    for (std::size_t i = 1; i < c.args.size(); i += 2) c.data.set(c.args[i], c.args[i + 1]);
    c.out.ok();
}

void mget(call& c) {
    c.out.array(c.args.size() - 1);
    for (const std::string_view key : c.args.subspan(1)) {
        const value* const found = c.data.find(key);
        bulk_or_null(c.out, found ? std::get_if<string_value>(found) : nullptr);
    }
}

void append(call& c) {
    string_value& text = c.data.find_or_add<string_value>(c.args[1]);
    if (text.size() + c.args[2].size() > static_cast<std::size_t>(max_bulk_size)) {
        throw command_error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    }
    text += c.args[2];
    c.out.integer(static_cast<std::int64_t>(text.size()));
}

void add(call& c, std::int64_t change) {
    const std::string_view key = c.args[1];
    string_value* const text = c.data.find_as<string_value>(key);
    const auto old = text ? parse_integer(*text) : 0;
    if (!old) throw command_error("ERR value is not an integer or out of range");
    std::int64_t sum = 0;
    if (__builtin_add_overflow(*old, change, &sum)) throw command_error("ERR increment or decrement would overflow");

    string_value& target = text ? *text : c.data.find_or_add<string_value>(key);
    target.clear();
    append_integer(target, sum);
    c.out.integer(sum);
}

void incr(call& c) { add(c, 1); }
void decr(call& c) { add(c, -1); }
void incrby(call& c) { add(c, c.integer(2)); }

void decrby(call& c) {
    std::int64_t change = 0;
    if (__builtin_sub_overflow(0, c.integer(2), &change)) throw command_error("ERR decrement would overflow");
    add(c, change);
}

constexpr command table[] = {
    {"append", 3, access::writes, one_key, append, "Appends to a string, made if there is none"},
    {"decr", 2, access::writes, one_key, decr, "Subtracts one from a number"},
    {"decrby", 3, access::writes, one_key, decrby, "Subtracts from a number"},
    {"get", 2, access::reads, one_key, get, "The string at a key"},
    {"incr", 2, access::writes, one_key, incr, "Adds one to a number"},
    {"incrby", 3, access::writes, one_key, incrby, "Adds to a number"},
    {"mget", -2, access::reads, all_keys, mget, "The strings at several keys"},
    {"mset", -3, access::writes, {1, -1, 2}, mset, "Sets several keys at once"},
    {"set", -3, access::writes, one_key, set, "Sets a key to a string: [NX|XX] [GET] [EX s|PX ms|KEEPTTL]"},
};

}  // namespace

constinit const std::span<const command> string_commands = table;

}  // namespace mini_redis
