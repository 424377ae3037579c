// <coir/base/deadline.hpp>: lengths of time and points in time that saturate instead of overflowing.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>

namespace coir {

/// A length of time. Every std::chrono duration converts to one: a negative one has run out already, one that does
/// not fit into 64 bits of nanoseconds (or is duration::max()) is for ever, and NaN has run out.
class time_span {
public:
    template <class Rep, class Period>
    constexpr time_span(std::chrono::duration<Rep, Period> d) noexcept : ns_(saturate(d)) {}

    static constexpr time_span forever() noexcept { return std::chrono::nanoseconds::max(); }

    constexpr bool is_forever() const noexcept { return ns_ == std::numeric_limits<std::int64_t>::max(); }
    /// Zero for a negative duration.
    constexpr std::chrono::nanoseconds count() const noexcept { return std::chrono::nanoseconds(ns_); }

    friend constexpr time_span operator+(time_span a, time_span b) noexcept {
        std::int64_t sum;
        return __builtin_add_overflow(a.ns_, b.ns_, &sum) ? forever() : time_span(std::chrono::nanoseconds(sum));
    }

private:
    template <class Rep, class Period>
    static constexpr std::int64_t saturate(std::chrono::duration<Rep, Period> d) noexcept {
        using factor = std::ratio_divide<Period, std::nano>;
        constexpr auto most = std::numeric_limits<std::int64_t>::max();
        if (!(d.count() > Rep{0})) return 0;
        if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
            const long double ns = static_cast<long double>(d.count()) * factor::num / factor::den;
            return ns >= static_cast<long double>(most) ? most : static_cast<std::int64_t>(std::ceil(ns));
        } else {
            if (d == std::chrono::duration<Rep, Period>::max()) return most;
            __extension__ using wide = unsigned __int128;
            const wide ns = (static_cast<wide>(d.count()) * factor::num + (factor::den - 1)) / factor::den;
            return ns >= static_cast<wide>(most) ? most : static_cast<std::int64_t>(ns);
        }
    }

    std::int64_t ns_;
};

namespace detail {
/// Nanoseconds of std::chrono::steady_clock, read through the seam for system calls.
std::int64_t steady_now() noexcept;
}  // namespace detail

/// A point of std::chrono::steady_clock, or never.
class deadline {
public:
    using clock = std::chrono::steady_clock;

    static constexpr deadline never() noexcept { return deadline(std::numeric_limits<std::int64_t>::max()); }

    /// `span` from now: reads the clock, except for forever.
    static deadline after(time_span span) noexcept {
        if (span.is_forever()) return never();
        const std::int64_t now = detail::steady_now();
        std::int64_t sum;
        return __builtin_add_overflow(now, span.count().count(), &sum) ? never() : deadline(sum);
    }

    /// A point of any clock. Other clocks than steady_clock are converted once, now: a later step of theirs is not
    /// followed.
    template <class Clock, class Duration>
    static deadline at(std::chrono::time_point<Clock, Duration> when) noexcept {
        const time_span since_epoch = when.time_since_epoch();
        if (std::is_same_v<Clock, clock> || since_epoch.is_forever()) return deadline(since_epoch.count().count());
        const std::int64_t left =
            since_epoch.count().count() - time_span(Clock::now().time_since_epoch()).count().count();
        return left <= 0 ? deadline(0) : after(std::chrono::nanoseconds(left));
    }

    constexpr bool is_never() const noexcept { return ns_ == std::numeric_limits<std::int64_t>::max(); }
    bool expired() const noexcept { return !is_never() && ns_ <= detail::steady_now(); }
    /// Zero when it has passed, forever when there is none.
    time_span remaining() const noexcept {
        if (is_never()) return time_span::forever();
        return std::chrono::nanoseconds(ns_ - detail::steady_now());
    }
    /// Nanoseconds of the steady clock; the largest value for never.
    constexpr std::int64_t nanoseconds() const noexcept { return ns_; }

    friend constexpr auto operator<=>(deadline, deadline) noexcept = default;

private:
    constexpr explicit deadline(std::int64_t ns) noexcept : ns_(ns) {}

    std::int64_t ns_;
};

}  // namespace coir
