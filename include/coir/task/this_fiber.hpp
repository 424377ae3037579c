// <coir/task/this_fiber.hpp>: what the running fiber may say to its hub, as std::this_thread.
#pragma once

#include <coir/base/deadline.hpp>

#include <compare>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace coir {

/// Identifies a fiber for as long as the process runs. Prints as the number in its default name.
class fiber_id {
public:
    fiber_id() noexcept = default;
    explicit fiber_id(std::uint64_t value) noexcept : value_(value) {}
    friend auto operator<=>(fiber_id, fiber_id) noexcept = default;
    std::uint64_t value() const noexcept { return value_; }

private:
    std::uint64_t value_ = 0;
};

std::ostream& operator<<(std::ostream& out, fiber_id id);

namespace this_fiber {

/// Lets the others that are ready run first. A cancellation point. On a thread without a hub it makes one.
void yield();

/// Suspends for at least `span`. A negative one has passed: others run, once. A cancellation point.
void sleep_for(time_span span);
void sleep_until(deadline when);
template <class Clock, class Duration>
void sleep_until(std::chrono::time_point<Clock, Duration> when) {
    sleep_until(deadline::at(when));
}

fiber_id get_id() noexcept;
/// As given to spawn, or "fiber-<number>"; "main" in a thread's main fiber.
std::string name();

}  // namespace this_fiber
}  // namespace coir

template <>
struct std::hash<coir::fiber_id> {
    std::size_t operator()(coir::fiber_id id) const noexcept { return std::hash<std::uint64_t>()(id.value()); }
};
