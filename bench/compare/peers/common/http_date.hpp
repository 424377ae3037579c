#pragma once

#include <array>
#include <cstddef>
#include <ctime>
#include <string_view>

/// The time as a header has it, written anew once a second.
inline std::string_view http_date() {
    static std::time_t written_at = 0;
    static std::array<char, 32> text;
    static std::size_t size = 0;
    const std::time_t now = std::time(nullptr);
    if (now != written_at) {
        std::tm parts{};
        size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&now, &parts));
        written_at = now;
    }
    return {text.data(), size};
}
