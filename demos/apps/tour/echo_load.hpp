// Thousands of connections that echo, both ends of each in this process and on this thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tour {

struct load_options {
    std::size_t connections = 10'000;
    std::chrono::milliseconds at_full_speed{8'000};
    std::chrono::milliseconds at_ease{8'000};
};

/// What one phase saw.
struct load_figures {
    std::uint64_t messages = 0;
    double per_second = 0;
    std::chrono::nanoseconds p50{};
    std::chrono::nanoseconds p99{};
};

struct load_report {
    std::size_t connections = 0;
    std::chrono::nanoseconds connecting{};
    load_figures at_full_speed;  // every connection has a message under way, always
    load_figures at_ease;        // each sends one a second
    std::uint64_t wrong_bytes = 0;
    std::uint64_t failures = 0;  // connections that ended before they should

    bool is_flawless() const noexcept { return wrong_bytes == 0 && failures == 0; }
};

/// Shows its progress; says so when the limit of descriptors allows fewer connections than were asked for.
load_report run_echo_load(const load_options& options);

inline constexpr std::size_t message_size = 64;

}  // namespace tour
