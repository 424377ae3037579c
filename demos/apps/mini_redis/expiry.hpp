// Times to live, as commands take them.
#pragma once

#include "commands.hpp"
#include "database.hpp"

#include <cstddef>
#include <cstdint>

namespace mini_redis {

/// In milliseconds.
enum class time_unit : std::int64_t { milliseconds = 1, seconds = 1000 };

/// From the argument at `index`, counted from now. Throws for what is no number or cannot be reached.
database::time_point parse_expiry(const call& c, std::size_t index, time_unit unit, std::string_view command_name);
/// The same for commands that do not take a time that is over.
database::time_point parse_positive_expiry(const call& c, std::size_t index, time_unit unit,
                                           std::string_view command_name);

}  // namespace mini_redis
