#include <coir/base/deadline.hpp>

#include "base/syscall.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>

namespace {

using namespace std::chrono_literals;
using coir::deadline;
using coir::time_span;
using std::chrono::duration;
using std::chrono::nanoseconds;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

std::int64_t ns(time_span span) { return span.count().count(); }

TEST(time_span, negative_ones_have_run_out) {
    EXPECT_EQ(ns(0ns), 0);
    EXPECT_EQ(ns(-1ns), 0);
    EXPECT_EQ(ns(-1h), 0);
    EXPECT_EQ(ns(nanoseconds::min()), 0);
    EXPECT_EQ(ns(std::chrono::hours::min()), 0);
    EXPECT_EQ(ns(duration<double>(-0.5)), 0);
}

TEST(time_span, the_largest_of_every_kind_is_for_ever) {
    EXPECT_TRUE(time_span(nanoseconds::max()).is_forever());
    EXPECT_TRUE(time_span(std::chrono::microseconds::max()).is_forever());
    EXPECT_TRUE(time_span(std::chrono::milliseconds::max()).is_forever());
    EXPECT_TRUE(time_span(std::chrono::seconds::max()).is_forever());
    EXPECT_TRUE(time_span(std::chrono::hours::max()).is_forever());
    EXPECT_TRUE(time_span(std::chrono::years::max()).is_forever());
    EXPECT_TRUE(time_span(duration<double>::max()).is_forever());
    EXPECT_TRUE(time_span(duration<std::int8_t>::max()).is_forever());
    EXPECT_TRUE(time_span(duration<std::uint64_t, std::nano>::max()).is_forever());
    EXPECT_TRUE(time_span::forever().is_forever());
}

TEST(time_span, what_does_not_fit_is_for_ever) {
    EXPECT_TRUE(time_span(std::chrono::hours::max() - 1h).is_forever());
    EXPECT_TRUE(time_span(std::chrono::years(300)).is_forever());
    EXPECT_TRUE(time_span(duration<std::uint64_t, std::nano>(std::uint64_t{1} << 63)).is_forever());
    EXPECT_TRUE(time_span(duration<double>(1e300)).is_forever());
    EXPECT_TRUE(time_span(duration<float, std::ratio<3600>>(1e30f)).is_forever());
    EXPECT_EQ(ns(nanoseconds(most - 1)), most - 1);
    EXPECT_FALSE(time_span(nanoseconds(most - 1)).is_forever());
    EXPECT_FALSE(time_span(std::chrono::years(292)).is_forever());
}

TEST(time_span, floating_point_oddities) {
    using limits = std::numeric_limits<double>;
    EXPECT_EQ(ns(duration<double>(limits::quiet_NaN())), 0);
    EXPECT_EQ(ns(duration<float>(-std::numeric_limits<float>::infinity())), 0);
    EXPECT_TRUE(time_span(duration<double>(limits::infinity())).is_forever());
    EXPECT_EQ(ns(duration<double>(-0.0)), 0);
    EXPECT_EQ(ns(duration<double>(1.5)), 1'500'000'000);
    EXPECT_EQ(ns(duration<double, std::milli>(0.25)), 250'000);
    EXPECT_EQ(ns(duration<long double, std::nano>(3.0L)), 3);
}

TEST(time_span, fractions_of_a_nanosecond_round_up) {
    EXPECT_EQ(ns(duration<double>(std::numeric_limits<double>::min())), 1);
    EXPECT_EQ(ns(duration<std::int64_t, std::pico>(1)), 1);
    EXPECT_EQ(ns(duration<std::int64_t, std::pico>(1000)), 1);
    EXPECT_EQ(ns(duration<std::int64_t, std::pico>(1001)), 2);
}

TEST(time_span, thirty_days_in_milliseconds_stay_thirty_days) {
    EXPECT_EQ(ns(std::chrono::milliseconds(30LL * 24 * 3600 * 1000)), 2'592'000'000'000'000);
    EXPECT_EQ(ns(std::chrono::days(30)), 2'592'000'000'000'000);
    static_assert(time_span(1s).count() == 1'000'000'000ns);
    static_assert(time_span::forever().is_forever());
}

/// A steady clock that stands still where a test puts it.
class deadline_with_clock : public ::testing::Test {
protected:
    void SetUp() override {
        now_ns = 0;
        coir::detail::sys.clock_gettime = [](clockid_t, timespec* out) {
            out->tv_sec = now_ns / 1'000'000'000;
            out->tv_nsec = now_ns % 1'000'000'000;
            return 0;
        };
    }
    void TearDown() override { coir::detail::sys.clock_gettime = ::clock_gettime; }

    static inline std::int64_t now_ns = 0;
};

TEST_F(deadline_with_clock, after_a_span) {
    now_ns = 5'000'000'007;
    const deadline d = deadline::after(1ms);
    EXPECT_EQ(d.nanoseconds(), 5'001'000'007);
    EXPECT_FALSE(d.expired());
    EXPECT_EQ(d.remaining().count(), 1ms);
    now_ns = 5'001'000'006;
    EXPECT_FALSE(d.expired());
    EXPECT_EQ(d.remaining().count(), 1ns);
    now_ns = 5'001'000'007;
    EXPECT_TRUE(d.expired());
    EXPECT_EQ(d.remaining().count(), 0ns);
    now_ns = most;
    EXPECT_TRUE(d.expired());
    EXPECT_EQ(d.remaining().count(), 0ns);
}

TEST_F(deadline_with_clock, after_nothing_or_less_has_expired) {
    now_ns = 17;
    EXPECT_TRUE(deadline::after(0ns).expired());
    EXPECT_TRUE(deadline::after(-1h).expired());
    EXPECT_TRUE(deadline::after(nanoseconds::min()).expired());
    EXPECT_TRUE(deadline::after(duration<double>(std::numeric_limits<double>::quiet_NaN())).expired());
}

TEST_F(deadline_with_clock, a_sum_that_overflows_is_never) {
    now_ns = 1000;
    EXPECT_TRUE(deadline::after(time_span::forever()).is_never());
    EXPECT_TRUE(deadline::after(nanoseconds(most - 1000)).is_never());
    EXPECT_TRUE(deadline::after(nanoseconds(most - 999)).is_never());
    EXPECT_FALSE(deadline::after(nanoseconds(most - 1001)).is_never());
    EXPECT_TRUE(deadline::after(std::chrono::hours::max()).is_never());
}

TEST_F(deadline_with_clock, never_does_not_expire) {
    now_ns = most;
    EXPECT_FALSE(deadline::never().expired());
    EXPECT_TRUE(deadline::never().remaining().is_forever());
    now_ns = 1;
    EXPECT_GT(deadline::never(), deadline::after(0ns));
}

TEST_F(deadline_with_clock, at_a_point_of_the_steady_clock) {
    using clock = std::chrono::steady_clock;
    now_ns = 1000;
    EXPECT_EQ(deadline::at(clock::time_point(999ns)).nanoseconds(), 999);
    EXPECT_TRUE(deadline::at(clock::time_point(999ns)).expired());
    EXPECT_FALSE(deadline::at(clock::time_point(1001ns)).expired());
    EXPECT_TRUE(deadline::at(clock::time_point(-5ns)).expired());
    EXPECT_TRUE(deadline::at(clock::time_point::min()).expired());
    EXPECT_TRUE(deadline::at(clock::time_point::max()).is_never());
    EXPECT_TRUE(deadline::at(std::chrono::time_point<clock, std::chrono::hours>::max()).is_never());
    EXPECT_TRUE(deadline::at(std::chrono::time_point<clock, std::chrono::hours>::min()).expired());
    EXPECT_EQ(deadline::at(std::chrono::time_point<clock, duration<double>>(duration<double>(2.5))).nanoseconds(),
              2'500'000'000);
}

TEST(deadline, at_a_point_of_the_system_clock) {
    using clock = std::chrono::system_clock;
    EXPECT_TRUE(deadline::at(clock::now() - 1h).expired());
    EXPECT_TRUE(deadline::at(clock::time_point::min()).expired());
    EXPECT_TRUE(deadline::at(clock::time_point()).expired());
    EXPECT_TRUE(deadline::at(clock::time_point::max()).is_never());
    const deadline later = deadline::at(clock::now() + 1h);
    EXPECT_FALSE(later.expired());
    EXPECT_LE(later.remaining().count(), 1h);
    EXPECT_GT(later.remaining().count(), 30min);
    EXPECT_FALSE(deadline::at(std::chrono::time_point_cast<std::chrono::seconds>(clock::now()) + 1h).expired());
}

}  // namespace
