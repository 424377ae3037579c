// Commands: a table for each kind of data, and finding and running one.
#pragma once

#include "reply.hpp"
#include "request.hpp"

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace mini_redis {

struct server;
class database;
class session;

/// What a command gets. It answers exactly once; or it throws, before it has written anything.
struct call {
    arguments args;  // args[0] is its name
    reply& out;
    database& data;
    server& host;
    session& client;

    std::int64_t integer(std::size_t index) const;
};

/// Becomes the answer, so the text begins with a code: "ERR syntax error".
class command_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

enum class access : std::uint8_t { none, reads, writes };

/// Which arguments are keys: from the first to the last (counted from the end when negative), in steps.
struct key_positions {
    int first = 0;
    int last = 0;
    int step = 0;
};
constexpr key_positions no_key{};
constexpr key_positions one_key{1, 1, 1};
constexpr key_positions all_keys{1, -1, 1};

struct command {
    std::string_view name;
    int arity;  // how many arguments, with the name; -n means at least n
    access what;
    key_positions keys;
    void (*run)(call&);
    std::string_view summary;
};

extern const std::span<const command> string_commands;
extern const std::span<const command> key_commands;
extern const std::span<const command> hash_commands;
extern const std::span<const command> list_commands;
extern const std::span<const command> set_commands;
extern const std::span<const command> pubsub_commands;
extern const std::span<const command> connection_commands;
extern const std::span<const command> server_commands;

/// In alphabetical order.
const std::vector<const command*>& all_commands();
/// Null when there is none; case does not matter.
const command* find_command(std::string_view name);

/// Runs one request, and writes its answer to the client's output.
void execute(server& host, session& client, arguments args);

[[noreturn]] void throw_syntax_error();
[[noreturn]] void throw_wrong_arity(std::string_view command_name);
[[noreturn]] void throw_unknown_subcommand(const call& c);

}  // namespace mini_redis
