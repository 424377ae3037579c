// How the tour writes: in colour on a terminal, plainly elsewhere.
#pragma once

#include <fmt/format.h>

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace tour {

inline bool on_terminal() {
    static const bool is_one = ::isatty(STDOUT_FILENO) == 1;
    return is_one;
}

/// Not where the user does not want it: https://no-color.org
inline bool in_colour() {
    static const char* const forbidden = std::getenv("NO_COLOR");
    return on_terminal() && (!forbidden || !*forbidden);
}

inline std::string coloured(const char* code, std::string_view text) {
    return in_colour() ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}
inline std::string bold(std::string_view text) { return coloured("1", text); }
inline std::string dim(std::string_view text) { return coloured("2", text); }
inline std::string green(std::string_view text) { return coloured("32", text); }
inline std::string red(std::string_view text) { return coloured("31", text); }

template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
    const std::string text = fmt::format(format, std::forward<Args>(args)...);
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

/// "1,234,567"
inline std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (auto at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), ",");
    return digits;
}

/// "3.25 ms", in the unit that suits it.
inline std::string in_words(std::chrono::nanoseconds time) {
    const auto ns = static_cast<double>(time.count());
    if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
    if (ns < 1e6) return fmt::format("{:.1f} µs", ns / 1e3);
    if (ns < 1e9) return fmt::format("{:.1f} ms", ns / 1e6);
    return fmt::format("{:.2f} s", ns / 1e9);
}

}  // namespace tour
