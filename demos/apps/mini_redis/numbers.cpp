#include "numbers.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mini_redis {

namespace {

template <class Number>
std::optional<Number> parse_whole(std::string_view text) noexcept {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return number;
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
    if (text.starts_with("-0") || (text.size() > 1 && text.starts_with('0'))) return std::nullopt;
    return parse_whole<std::int64_t>(text);
}

std::optional<double> parse_float(std::string_view text) noexcept {
    const auto number = parse_whole<double>(text);
    if (!number || !std::isfinite(*number)) return std::nullopt;
    return number;
}

void append_integer(std::string& out, std::int64_t number) {
    char digits[20];
    const auto result = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, result.ptr);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace mini_redis
