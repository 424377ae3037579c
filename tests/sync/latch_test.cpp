#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <string>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

COIR_TEST(latch, lets_all_go_when_it_has_come_to_zero) {
    coir::latch l(3);
    tasks all = line_up(5, [&](int) { l.wait(); });
    l.count_down();
    l.count_down();
    run_until_parked();
    EXPECT_EQ(count_done(all), 0u);
    EXPECT_FALSE(l.try_wait());
    l.count_down();
    EXPECT_TRUE(l.try_wait());
    get_all(all);
    l.wait();
    EXPECT_TRUE(l.wait_for(0s));
}

COIR_TEST(latch, waits_for_the_last_of_many_tasks) {
    coir::latch l(50);
    int ended = 0;
    tasks all;
    for (int i = 0; i < 50; ++i) {
        all.push_back(coir::spawn([&] {
            yield();
            ++ended;
            l.count_down();
        }));
    }
    l.wait();
    EXPECT_EQ(ended, 50);
    get_all(all);
}

COIR_TEST(latch, arrive_and_wait_lets_nobody_go_before_the_last) {
    coir::latch l(7);
    int arrived = 0;
    tasks all;
    for (int i = 0; i < 6; ++i) {
        all.push_back(coir::spawn([&] {
            ++arrived;
            l.arrive_and_wait();
            EXPECT_EQ(arrived, 6);
        }));
    }
    l.count_down();
    get_all(all);
}

COIR_TEST(latch, of_none_is_open_from_the_beginning) {
    coir::latch l(0);
    l.wait();
    l.arrive_and_wait(0);
    EXPECT_TRUE(l.try_wait());
    EXPECT_EQ(thrown_by([&] { l.count_down(); }), "fiber_error");
}

COIR_TEST(latch, below_zero_is_told_and_changes_nothing) {
    coir::latch l(3);
    auto t = coir::spawn([&] { l.wait(); });
    until_parked(t);
    l.count_down();
    EXPECT_EQ(text_of<coir::fiber_error>([&] { l.count_down(3); }), "latch::count_down by 3 with 2 left");
    EXPECT_EQ(thrown_by([&] { l.arrive_and_wait(3); }), "fiber_error");
    run_until_parked();
    EXPECT_FALSE(t.done());
    l.count_down(2);
    t.get();
    EXPECT_EQ(thrown_by([&] { l.count_down(); }), "fiber_error");
    EXPECT_TRUE(l.try_wait());
}

COIR_TEST(latch, limits_are_never_early_and_tell) {
    const virtual_clock clock;
    coir::latch l(1);
    EXPECT_FALSE(l.wait_for(3ms));
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_FALSE(l.wait_until(coir::deadline::after(0s)));
    EXPECT_EQ(thrown_by([&] { coir::wait_for(2ms, [&] { l.wait(); }); }), "timed_out");
    EXPECT_EQ(clock.elapsed(), 5ms);
    l.count_down();
    EXPECT_TRUE(l.wait_for(-1s));
}

COIR_TEST(latch, one_that_is_cancelled_has_counted_all_the_same) {
    coir::latch l(2);
    auto t = coir::spawn([&] { l.arrive_and_wait(); });
    auto other = coir::spawn([&] { l.wait(); });
    until_parked(t);
    until_parked(other);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_FALSE(l.try_wait());
    l.count_down();
    other.get();
}

COIR_TEST(latch, opened_in_the_round_of_a_limit_or_a_cancellation_it_passes) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::latch l(1);
    bool passed = false;
    auto limited = coir::spawn([&] { return l.wait_for(1ms); });
    auto cancelled = coir::spawn([&] {
        l.wait();
        passed = true;
    });
    until_parked(limited);
    until_parked(cancelled);
    clock.advance(1ms);
    l.count_down();
    cancelled.cancel();
    EXPECT_TRUE(limited.get());
    cancelled.join();
    EXPECT_TRUE(passed);
}

COIR_TEST(latch, a_posted_function_may_count_down_and_not_wait) {
    coir::latch l(2);
    EXPECT_EQ(thrown_when_posted([&] { l.wait(); }), "fiber_error");
    EXPECT_EQ(thrown_when_posted([&] { l.count_down(2); }), "");
    l.wait();
}

}  // namespace
