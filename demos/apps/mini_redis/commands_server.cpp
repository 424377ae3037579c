#include "commands.hpp"
#include "numbers.hpp"
#include "server.hpp"

#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace mini_redis {

namespace {

void dbsize(call& c) { c.out.integer(static_cast<std::int64_t>(c.data.size())); }

void flushall(call& c) {
    const bool known =
        c.args.size() == 1 ||
        (c.args.size() == 2 && (equal_ignoring_case(c.args[1], "async") || equal_ignoring_case(c.args[1], "sync")));
    if (!known) throw_syntax_error();
    c.data.clear();
    c.out.ok();
}

class info_text {
public:
    void section(std::string_view name) { text_.append(text_.empty() ? "# " : "\r\n# ").append(name).append("\r\n"); }
    void line(std::string_view name, std::string_view content) {
        text_.append(name).append(":").append(content).append("\r\n");
    }
    template <std::integral Number>
    void line(std::string_view name, Number number) {
        line(name, std::to_string(number));
    }
    const std::string& str() const noexcept { return text_; }

private:
    std::string text_;
};

/// INFO [section ...]
void info(call& c) {
    const auto is_wanted = [&](std::string_view section) {
        const auto names = c.args.subspan(1);
        return names.empty() || std::ranges::any_of(names, [&](std::string_view name) {
                   return equal_ignoring_case(name, section) || equal_ignoring_case(name, "all") ||
                          equal_ignoring_case(name, "everything") || equal_ignoring_case(name, "default");
               });
    };
    info_text text;
    if (is_wanted("server")) {
        const auto uptime = std::chrono::steady_clock::now() - c.host.started;
        text.section("Server");
        text.line("redis_version", "7.0.0");
        text.line("redis_mode", "standalone");
        text.line("process_id", ::getpid());
        text.line("tcp_port", c.host.listener.is_open() ? c.host.listener.local_address().port() : 0);
        text.line("uptime_in_seconds", std::chrono::duration_cast<std::chrono::seconds>(uptime).count());
    }
    if (is_wanted("clients")) {
        text.section("Clients");
        text.line("connected_clients", c.host.sessions.size());
        text.line("blocked_clients", c.host.blocked.size());
    }
    if (is_wanted("stats")) {
        text.section("Stats");
        text.line("total_connections_received", c.host.connections_so_far);
        text.line("total_commands_processed", c.host.commands_so_far);
        text.line("pubsub_channels", c.host.channels.size());
    }
    if (is_wanted("keyspace")) {
        text.section("Keyspace");
        const std::string expires = std::to_string(c.data.expiring());
        if (c.data.size() != 0) text.line("db0", "keys=" + std::to_string(c.data.size()) + ",expires=" + expires);
    }
    c.out.bulk(text.str());
}

constexpr std::pair<const char*, std::string_view> settings[] = {
    {"appendonly", "no"}, {"databases", "1"}, {"proto-max-bulk-len", "536870912"}, {"save", ""}};

/// CONFIG GET pattern...
void config(call& c) {
    if (!equal_ignoring_case(c.args[1], "get")) throw_unknown_subcommand(c);
    if (c.args.size() < 3) throw_wrong_arity("config|get");
    const auto is_wanted = [&](const char* name) {
        return std::ranges::any_of(c.args.subspan(2), [&](std::string_view pattern) {
            return ::fnmatch(std::string(pattern).c_str(), name, FNM_CASEFOLD) == 0;
        });
    };
    const auto count = std::ranges::count_if(settings, [&](const auto& each) { return is_wanted(each.first); });
    c.out.array(static_cast<std::size_t>(count) * 2);
    for (const auto& [name, content] : settings) {
        if (!is_wanted(name)) continue;
        c.out.bulk(name);
        c.out.bulk(content);
    }
}

void describe(reply& out, const command& each) {
    out.array(10);
    out.bulk(each.name);
    out.integer(each.arity);
    out.array(each.what == access::none ? 0 : 1);
    if (each.what != access::none) out.simple(each.what == access::reads ? "readonly" : "write");
    out.integer(each.keys.first);
    out.integer(each.keys.last);
    out.integer(each.keys.step);
    for (int i = 0; i < 4; ++i) out.array(0);  // categories, tips, key specifications, subcommands
}

void describe_named(call& c) {
    c.out.array(c.args.size() - 2);
    for (const std::string_view name : c.args.subspan(2)) {
        const command* const found = find_command(name);
        found ? describe(c.out, *found) : c.out.null_array();
    }
}

void document(reply& out, const command& each) {
    out.bulk(each.name);
    out.array(2);
    out.bulk("summary");
    out.bulk(each.summary);
}

void document_named(call& c) {
    std::vector<const command*> found;
    for (const std::string_view name : c.args.subspan(2)) {
        if (const command* const each = find_command(name)) found.push_back(each);
    }
    const auto& chosen = c.args.size() == 2 ? all_commands() : found;
    c.out.array(chosen.size() * 2);
    for (const command* const each : chosen) document(c.out, *each);
}

/// COMMAND [COUNT|INFO name...|DOCS [name...]]
void command_(call& c) {
    const bool has_subcommand = c.args.size() > 1;
    if (has_subcommand && equal_ignoring_case(c.args[1], "count")) {
        c.out.integer(static_cast<std::int64_t>(all_commands().size()));
    } else if (has_subcommand && equal_ignoring_case(c.args[1], "docs")) {
        document_named(c);
    } else if (c.args.size() > 2 && equal_ignoring_case(c.args[1], "info")) {
        describe_named(c);
    } else if (!has_subcommand || equal_ignoring_case(c.args[1], "info")) {
        c.out.array(all_commands().size());
        for (const command* const each : all_commands()) describe(c.out, *each);
    } else {
        throw_unknown_subcommand(c);
    }
}

constexpr command table[] = {
    {"command", -1, access::none, no_key, command_, "What commands there are: [COUNT|INFO name...|DOCS [name...]]"},
    {"config", -2, access::none, no_key, config, "GET pattern...: settings"},
    {"dbsize", 1, access::reads, no_key, dbsize, "How many keys there are"},
    {"flushall", -1, access::writes, no_key, flushall, "Deletes all keys"},
    {"info", -1, access::none, no_key, info, "About the server: [section...]"},
};

}  // namespace

constinit const std::span<const command> server_commands = table;

}  // namespace mini_redis
