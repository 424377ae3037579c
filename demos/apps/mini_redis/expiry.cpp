#include "expiry.hpp"

#include <chrono>
#include <string>

namespace mini_redis {

namespace {

[[noreturn]] void throw_invalid(std::string_view command_name) {
    throw command_error("ERR invalid expire time in '" + std::string(command_name) + "' command");
}

}  // namespace

database::time_point parse_expiry(const call& c, std::size_t index, time_unit unit, std::string_view command_name) {
    std::int64_t span = 0;
    std::int64_t when = 0;
    if (__builtin_mul_overflow(c.integer(index), static_cast<std::int64_t>(unit), &span) ||
        __builtin_add_overflow(span, database::now().time_since_epoch().count(), &when)) {
        throw_invalid(command_name);
    }
    return database::time_point(std::chrono::milliseconds(when));
}

database::time_point parse_positive_expiry(const call& c, std::size_t index, time_unit unit,
                                           std::string_view command_name) {
    if (c.integer(index) <= 0) throw_invalid(command_name);
    return parse_expiry(c, index, unit, command_name);
}

}  // namespace mini_redis
