// Numbers in text, as strictly as Redis reads them: no blanks, no plus sign, no leading zeros.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mini_redis {

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;
/// A finite one.
std::optional<double> parse_float(std::string_view text) noexcept;

void append_integer(std::string& out, std::int64_t number);

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

}  // namespace mini_redis
