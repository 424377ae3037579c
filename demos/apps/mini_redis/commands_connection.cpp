#include "commands.hpp"
#include "numbers.hpp"
#include "session.hpp"

#include <algorithm>
#include <string>

namespace mini_redis {

namespace {

void ping(call& c) {
    if (c.args.size() > 2) throw_wrong_arity("ping");
    const bool has_text = c.args.size() == 2;
    if (!c.client.subscriptions().channels().empty()) {  // has to look like a message
        c.out.array(2);
        c.out.bulk("pong");
        c.out.bulk(has_text ? c.args[1] : "");
    } else {
        has_text ? c.out.bulk(c.args[1]) : c.out.simple("PONG");
    }
}

void echo(call& c) { c.out.bulk(c.args[1]); }

void quit(call& c) {
    c.out.ok();
    c.client.close();
}

void select(call& c) {
    if (c.integer(1) != 0) throw command_error("ERR DB index is out of range");
    c.out.ok();
}

/// It is printed in lists of clients, so nothing that would spoil them.
std::string checked_name(std::string_view name) {
    if (!std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; })) {
        throw command_error("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    return std::string(name);
}

void client(call& c) {
    const auto is = [&](std::string_view name, std::size_t size) {
        if (!equal_ignoring_case(c.args[1], name)) return false;
        if (c.args.size() != size) throw_wrong_arity("client|" + std::string(name));
        return true;
    };
    if (is("id", 2)) return c.out.integer(static_cast<std::int64_t>(c.client.id()));
    if (is("getname", 2)) return c.client.name.empty() ? c.out.null() : c.out.bulk(c.client.name);
    if (is("setname", 3)) {
        c.client.name = checked_name(c.args[2]);
    } else if (!is("setinfo", 4)) {
        throw_unknown_subcommand(c);
    }
    c.out.ok();
}

void check_protocol_version(std::string_view text) {
    const auto version = parse_integer(text);
    if (!version) throw command_error("ERR Protocol version is not an integer or out of range");
    if (*version != 2) throw command_error("NOPROTO unsupported protocol version");
}

/// HELLO [version [SETNAME name]]
void hello(call& c) {
    if (c.args.size() > 1) check_protocol_version(c.args[1]);
    for (std::size_t i = 2; i < c.args.size(); i += 2) {
        if (!equal_ignoring_case(c.args[i], "setname") || i + 1 == c.args.size()) {
            throw command_error("ERR Syntax error in HELLO option '" + std::string(c.args[i]) + "'");
        }
        c.client.name = checked_name(c.args[i + 1]);
    }
    c.out.array(14);
    const auto field = [&](std::string_view name, std::string_view content) {
        c.out.bulk(name);
        c.out.bulk(content);
    };
    field("server", "redis");
    field("version", "7.0.0");
    c.out.bulk("proto");
    c.out.integer(2);
    c.out.bulk("id");
    c.out.integer(static_cast<std::int64_t>(c.client.id()));
    field("mode", "standalone");
    field("role", "master");
    c.out.bulk("modules");
    c.out.array(0);
}

constexpr command table[] = {
    {"client", -2, access::none, no_key, client, "ID, GETNAME, SETNAME name, SETINFO attribute value"},
    {"echo", 2, access::none, no_key, echo, "Answers what it is given"},
    {"hello", -1, access::none, no_key, hello, "Agrees on the protocol: [version [SETNAME name]]"},
    {"ping", -1, access::none, no_key, ping, "Answers PONG, or what it is given"},
    {"quit", -1, access::none, no_key, quit, "Ends the connection"},
    {"select", 2, access::none, no_key, select, "Chooses a database; there is only 0"},
};

}  // namespace

constinit const std::span<const command> connection_commands = table;

}  // namespace mini_redis
