#include "commands.hpp"

#include "numbers.hpp"
#include "server.hpp"
#include "session.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace mini_redis {

namespace {

std::string in_lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

std::vector<const command*> collect_commands() {
    std::vector<const command*> all;
    for (const auto table : {string_commands, key_commands, hash_commands, list_commands, set_commands, pubsub_commands,
                             connection_commands, server_commands}) {
        for (const command& each : table) all.push_back(&each);
    }
    std::ranges::sort(all, {}, &command::name);
    return all;
}

[[noreturn]] void throw_unknown_command(arguments args) {
    constexpr std::size_t most_quoted = 128;
    std::string beginning;
    for (const std::string_view argument : args.subspan(1)) {
        if (beginning.size() >= most_quoted) break;
        beginning.append("'").append(argument.substr(0, most_quoted - beginning.size())).append("' ");
    }
    throw command_error("ERR unknown command '" + std::string(args[0].substr(0, most_quoted)) +
                        "', with args beginning with: " + beginning);
}

bool fits(int arity, std::size_t count) noexcept {
    const auto wanted = static_cast<std::size_t>(arity < 0 ? -arity : arity);
    return arity < 0 ? count >= wanted : count == wanted;
}

/// A client that has subscribed reads messages where others read answers.
void check_subscriber_may_run(const command& chosen) {
    for (const std::string_view allowed : {"subscribe", "unsubscribe", "ping", "quit"}) {
        if (chosen.name == allowed) return;
    }
    throw command_error("ERR Can't execute '" + std::string(chosen.name) +
                        "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
}

const command& choose_command(session& client, arguments args) {
    const command* const chosen = find_command(args[0]);
    if (!chosen) throw_unknown_command(args);
    if (!fits(chosen->arity, args.size())) throw_wrong_arity(chosen->name);
    if (!client.subscriptions().channels().empty()) check_subscriber_may_run(*chosen);
    return *chosen;
}

}  // namespace

const std::vector<const command*>& all_commands() {
    static const std::vector<const command*> all = collect_commands();
    return all;
}

const command* find_command(std::string_view name) {
    static const auto by_name = [] {
        std::unordered_map<std::string_view, const command*> map;
        for (const command* const each : all_commands()) map.emplace(each->name, each);
        return map;
    }();
    constexpr std::size_t longest_name = 15;  // and not a byte to allocate
    if (name.size() > longest_name) return nullptr;
    const auto found = by_name.find(in_lower_case(name));
    return found == by_name.end() ? nullptr : found->second;
}

void execute(server& host, session& client, arguments args) {
    reply out(client.output());
    try {
        ++host.commands_so_far;
        const command& chosen = choose_command(client, args);
        call c{args, out, host.data, host, client};
        chosen.run(c);
    } catch (const command_error& error) {
        out.error(error.what());
    }
}

std::int64_t call::integer(std::size_t index) const {
    const auto number = parse_integer(args[index]);
    if (!number) throw command_error("ERR value is not an integer or out of range");
    return *number;
}

void throw_syntax_error() { throw command_error("ERR syntax error"); }

void throw_wrong_arity(std::string_view command_name) {
    throw command_error("ERR wrong number of arguments for '" + std::string(command_name) + "' command");
}

void throw_unknown_subcommand(const call& c) {
    std::string name(c.args[0]);
    for (char& letter : name) {
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    }
    throw command_error("ERR unknown subcommand '" + std::string(c.args[1].substr(0, 128)) + "'. Try " + name +
                        " HELP.");
}

}  // namespace mini_redis
