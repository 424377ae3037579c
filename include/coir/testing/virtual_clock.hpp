// <coir/testing/virtual_clock.hpp>: time that passes when a test says so.
#pragma once

#include <coir/base/deadline.hpp>

#include <chrono>

namespace coir::testing {

/// As long as it lives, coir's clock stands still, and jumps to the next timer when all fibers of all hubs are parked
/// and no helper thread works for them: an hour of sleeping takes a millisecond, and the order of what happens is that
/// of the deadlines.
///
/// One at a time in the process; to be made before, and destroyed after, the hub_pools that shall live by it. It is
/// coir's clock alone: std::chrono::steady_clock goes on as ever, and the limits of plain threads run out by it.
/// Example: tests/testing/virtual_clock_test.cpp
class virtual_clock {
public:
    enum class jumps {
        when_all_are_parked,
        never,  // only advance() moves it
    };
    explicit virtual_clock(jumps when = jumps::when_all_are_parked);
    virtual_clock(const virtual_clock&) = delete;
    virtual_clock& operator=(const virtual_clock&) = delete;
    ~virtual_clock();

    /// How much time has passed since it was made.
    std::chrono::nanoseconds elapsed() const noexcept;
    /// Lets time pass; what is due then happens when the caller suspends: see run_until_parked.
    void advance(time_span span) noexcept;
};

}  // namespace coir::testing
