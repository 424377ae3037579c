// What a shield keeps away, and what it does not: a time limit that was opened inside it.
#include <coir/coir.hpp>
#include <coir/testing.hpp>

using namespace std::chrono_literals;
using coir::testing::virtual_clock;

COIR_TEST(shield, a_timeout_opened_inside_counts) {
    const virtual_clock clock;
    const coir::shield mask;
    {
        coir::timeout limit(1s);
        EXPECT_THROW(coir::this_fiber::sleep_for(1h), coir::timed_out);
    }
    EXPECT_EQ(clock.elapsed(), 1s);
    coir::this_fiber::sleep_for(1s);
}

COIR_TEST(shield, a_timeout_opened_outside_waits_until_after_it) {
    const virtual_clock clock;
    coir::timeout outer(1s);
    {
        const coir::shield mask;
        coir::this_fiber::sleep_for(2s);
        coir::timeout inner(5s);
        coir::this_fiber::sleep_for(2s);
        EXPECT_FALSE(inner.expired());
    }
    EXPECT_EQ(clock.elapsed(), 4s);
    EXPECT_THROW(coir::this_fiber::yield(), coir::timed_out);
}

COIR_TEST(shield, a_shield_inside_a_timeout_inside_a_shield) {
    const virtual_clock clock;
    const coir::shield outer;
    coir::timeout limit(1s);
    {
        const coir::shield inner;
        coir::this_fiber::sleep_for(2s);
    }
    EXPECT_THROW(coir::this_fiber::sleep_for(1s), coir::timed_out);
    EXPECT_EQ(clock.elapsed(), 2s);
}

COIR_TEST(shield, a_cancellation_waits_while_a_limit_inside_fires) {
    const virtual_clock clock;
    bool limit_fired = false;
    auto t = coir::spawn([&] {
        {
            const coir::shield mask;
            try {
                coir::timeout limit(10s);
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::timed_out&) {
                limit_fired = true;
            }
        }
        coir::this_fiber::yield();
        ADD_FAILURE() << "the cancellation was lost";
    });
    coir::testing::run_until_parked();
    t.cancel();
    t.join();
    EXPECT_TRUE(limit_fired);
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(clock.elapsed(), 10s);
}

/// A goodbye in a destructor that runs because of a cancellation.
COIR_TEST(shield, a_limit_counts_in_a_destructor_during_unwinding) {
    const virtual_clock clock;
    struct session {
        ~session() {
            const coir::shield mask;
            try {
                coir::timeout limit(1s);
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::timed_out& e) {
                fired = true;
            }
        }
        bool& fired;
    };
    bool fired = false;
    auto t = coir::spawn([&] {
        const session guard{fired};
        coir::event().wait();
    });
    coir::testing::run_until_parked();
    t.cancel();
    t.join();
    EXPECT_TRUE(fired);
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(clock.elapsed(), 1s);
}

COIR_TEST(shield, an_outer_timeout_does_not_fire_in_a_destructor_during_unwinding) {
    const virtual_clock clock;
    struct slow {
        ~slow() { coir::this_fiber::sleep_for(5s); }
    };
    const auto fail_slowly = [] {
        coir::timeout limit(1s);
        const slow guard;
        throw std::runtime_error("the first error");
    };
    EXPECT_THROW(fail_slowly(), std::runtime_error);
    EXPECT_EQ(clock.elapsed(), 5s);
}

/// The shield is the caller's; the limit was opened by it, inside.
COIR_TEST(shield, a_limit_inside_reaches_a_fiber_that_was_switched_to) {
    const virtual_clock clock;
    const coir::shield mask;
    coir::fiber f([] { coir::this_fiber::sleep_for(1h); });
    coir::timeout limit(1s);
    EXPECT_THROW(f.switch_to(), coir::timed_out);
    EXPECT_EQ(clock.elapsed(), 1s);
}

COIR_TEST(shield, wait_for_inside_is_a_limit) {
    const virtual_clock clock;
    const coir::shield mask;
    EXPECT_THROW(coir::wait_for(1s, [] { coir::this_fiber::sleep_for(1h); }), coir::timed_out);
}
