#include "blocking.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "numbers.hpp"
#include "server.hpp"
#include "session.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace mini_redis {

namespace {

void push(call& c, list_end end) {
    const std::string_view key = c.args[1];
    list_value& list = c.data.find_or_add<list_value>(key);
    for (const std::string_view element : c.args.subspan(2)) {
        end == list_end::front ? list.emplace_front(element) : list.emplace_back(element);
    }
    c.out.integer(static_cast<std::int64_t>(list.size()));
    c.host.blocked.serve(key);
}

void lpush(call& c) { push(c, list_end::front); }
void rpush(call& c) { push(c, list_end::back); }

void pop_one(call& c, list_end end) {
    list_value* const list = c.data.find_as<list_value>(c.args[1]);
    list ? c.out.bulk(pop_element(c.data, c.args[1], *list, end)) : c.out.null();
}

void pop_several(call& c, list_end end) {
    const auto wanted = parse_integer(c.args[2]);
    if (!wanted || *wanted < 0) throw command_error("ERR value is out of range, must be positive");
    list_value* const list = c.data.find_as<list_value>(c.args[1]);
    if (!list) return c.out.null_array();

    const std::size_t count = std::min(static_cast<std::size_t>(*wanted), list->size());
    c.out.array(count);
    for (std::size_t i = 0; i < count; ++i) c.out.bulk(pop_element(c.data, c.args[1], *list, end));
}

void pop(call& c, list_end end) {
    if (c.args.size() > 3) throw_wrong_arity(end == list_end::front ? "lpop" : "rpop");
    c.args.size() == 3 ? pop_several(c, end) : pop_one(c, end);
}

void lpop(call& c) { pop(c, list_end::front); }
void rpop(call& c) { pop(c, list_end::back); }

void llen(call& c) {
    const list_value* const list = c.data.find_as<list_value>(c.args[1]);
    c.out.integer(list ? static_cast<std::int64_t>(list->size()) : 0);
}

void lrange(call& c) {
    const std::int64_t first = c.integer(2);
    const std::int64_t last = c.integer(3);
    const list_value* const list = c.data.find_as<list_value>(c.args[1]);
    if (!list) return c.out.array(0);

    const auto size = static_cast<std::int64_t>(list->size());
    const std::int64_t begin = std::max<std::int64_t>(first < 0 ? first + size : first, 0);
    const std::int64_t end = std::min(last < 0 ? last + size : last, size - 1) + 1;
    if (begin >= end) return c.out.array(0);
    c.out.array(static_cast<std::size_t>(end - begin));
    std::for_each(list->begin() + begin, list->begin() + end, [&](const std::string& each) { c.out.bulk(each); });
}

/// Zero is for ever.
coir::deadline parse_timeout(std::string_view text) {
    const auto seconds = parse_float(text);
    if (!seconds) throw command_error("ERR timeout is not a float or out of range");
    if (*seconds < 0) throw command_error("ERR timeout is negative");
    if (*seconds == 0) return coir::deadline::never();
    return coir::deadline::after(std::chrono::duration<double>(*seconds));
}

void answer_element(reply& out, std::string_view key, std::string_view element) {
    out.array(2);
    out.bulk(key);
    out.bulk(element);
}

/// False when all of the lists are empty.
bool pop_first_of(call& c, arguments keys, list_end end) {
    for (const std::string_view key : keys) {
        if (list_value* const list = c.data.find_as<list_value>(key)) {
            answer_element(c.out, key, pop_element(c.data, key, *list, end));
            return true;
        }
    }
    return false;
}

void blocking_pop(call& c, list_end end) {
    const auto limit = parse_timeout(c.args.back());
    const auto keys = c.args.subspan(1, c.args.size() - 2);
    if (pop_first_of(c, keys, end)) return;
    c.client.flush();  // the answers to what came before; meanwhile others may push
    if (pop_first_of(c, keys, end)) return;

    const auto served = c.host.blocked.wait(c.client, keys, end, limit);
    if (served) {
        answer_element(c.out, served->key, served->content);
    } else if (!c.client.is_closing()) {
        c.out.null_array();
    }
}

void blpop(call& c) { blocking_pop(c, list_end::front); }
void brpop(call& c) { blocking_pop(c, list_end::back); }

constexpr command table[] = {
    {"blpop", -3, access::writes, {1, -2, 1}, blpop, "Takes the first element of one of some lists; waits for one"},
    {"brpop", -3, access::writes, {1, -2, 1}, brpop, "Takes the last element of one of some lists; waits for one"},
    {"llen", 2, access::reads, one_key, llen, "The length of a list"},
    {"lpop", -2, access::writes, one_key, lpop, "Takes the first element of a list, or several"},
    {"lpush", -3, access::writes, one_key, lpush, "Puts elements before the first of a list; says its length"},
    {"lrange", 4, access::reads, one_key, lrange, "A part of a list; -1 is the last element"},
    {"rpop", -2, access::writes, one_key, rpop, "Takes the last element of a list, or several"},
    {"rpush", -3, access::writes, one_key, rpush, "Puts elements behind the last of a list; says its length"},
};

}  // namespace

constinit const std::span<const command> list_commands = table;

}  // namespace mini_redis
