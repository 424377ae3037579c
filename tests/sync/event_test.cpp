#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

COIR_TEST(event, lets_pass_when_it_is_set_and_not_before) {
    coir::event e;
    EXPECT_FALSE(e.is_set());
    auto t = coir::spawn([&] { e.wait(); });
    until_parked(t);
    EXPECT_FALSE(t.done());
    e.set();
    e.set();
    t.get();
    EXPECT_TRUE(e.is_set());
    e.wait();
    EXPECT_TRUE(e.wait_for(-1s));
    e.clear();
    EXPECT_FALSE(e.is_set());
    EXPECT_FALSE(e.wait_for(0s));
}

COIR_TEST_WITH(event, wakes_all_in_the_order_in_which_they_came, .in_any_order = false) {
    coir::event e;
    std::string order;
    tasks all = line_up(10, [&](int i) {
        e.wait();
        order += static_cast<char>('a' + i);
    });
    e.set();
    get_all(all);
    EXPECT_EQ(order, "abcdefghij");
}

COIR_TEST(event, set_and_cleared_at_once_wakes_all_who_waited_and_no_later_one) {
    coir::event e;
    tasks early = line_up(100, [&](int) { e.wait(); });
    e.set();
    e.clear();
    tasks late = line_up(3, [&](int) { e.wait(); });
    get_all(early);
    EXPECT_EQ(count_done(late), 0u);
    EXPECT_FALSE(e.is_set());
    e.set();
    get_all(late);
}

COIR_TEST(event, is_set_and_cleared_a_hundred_times_and_wakes_each_time) {
    coir::event e;
    int passed = 0;
    auto t = coir::spawn([&] {
        for (int i = 0; i < 100; ++i) {
            e.wait();
            ++passed;
        }
    });
    for (int i = 0; i < 100; ++i) {
        run_until_parked();
        EXPECT_EQ(passed, i);
        e.set();
        e.clear();
    }
    t.get();
}

/// Nobody is left behind, and nobody who waits again passes twice.
COIR_TEST(event, one_that_is_woken_may_clear_it_and_wait_again_while_others_are_still_being_woken) {
    coir::event e;
    std::vector<int> passed(10);
    tasks all = line_up(10, [&](int i) {
        for (int round = 0; round < 2; ++round) {
            e.wait();
            e.clear();
            ++passed[static_cast<std::size_t>(i)];
        }
    });
    e.set();
    run_until_parked();
    EXPECT_EQ(passed, std::vector<int>(10, 1));
    e.set();
    get_all(all);
    EXPECT_EQ(passed, std::vector<int>(10, 2));
}

COIR_TEST(event, limits_are_never_early_and_tell) {
    const virtual_clock clock;
    coir::event e;
    EXPECT_FALSE(e.wait_for(3ms));
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_FALSE(e.wait_until(coir::deadline::after(0ms)));
    EXPECT_EQ(clock.elapsed(), 3ms);
    e.set();
    EXPECT_TRUE(e.wait_for(1h));
    EXPECT_EQ(clock.elapsed(), 3ms);
}

COIR_TEST(event, set_in_the_round_of_the_limit_wins) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::event e;
    auto t = coir::spawn([&] { return e.wait_for(1ms); });
    until_parked(t);
    clock.advance(1ms);
    e.set();
    EXPECT_TRUE(t.get());
}

COIR_TEST(event, set_after_the_limit_comes_too_late) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::event e;
    auto t = coir::spawn([&] { return e.wait_for(1ms); });
    until_parked(t);
    clock.advance(1ms);
    run_until_parked();
    e.set();
    EXPECT_FALSE(t.get());
}

COIR_TEST(event, a_timeout_scope_ends_the_wait_and_an_outer_one_passes_through) {
    const virtual_clock clock;
    coir::event e;
    const coir::timeout outer(5ms);
    try {
        const coir::timeout inner(9ms);
        e.wait();
        ADD_FAILURE();
    } catch (const coir::timed_out& error) {
        EXPECT_TRUE(outer.owns(error));
    }
    EXPECT_EQ(clock.elapsed(), 5ms);
}

COIR_TEST(event, a_cancelled_or_timed_out_waiter_leaves_the_others) {
    const virtual_clock clock;
    coir::event e;
    tasks all;
    bool in_time = true;
    all = line_up(3, [&](int i) { i == 1 ? void(in_time = e.wait_for(1ms)) : e.wait(); });
    all[0].cancel();
    all[0].join();
    all[1].get();
    EXPECT_FALSE(in_time);
    EXPECT_FALSE(all[2].done());
    e.set();
    all[2].get();
    EXPECT_TRUE(all[0].was_cancelled());
}

COIR_TEST(event, woken_and_cancelled_in_one_round_it_passes) {
    coir::event e;
    bool passed = false;
    auto t = coir::spawn([&] {
        e.wait();
        passed = true;
        yield();
        ADD_FAILURE();
    });
    until_parked(t);
    e.set();
    t.cancel();
    t.join();
    EXPECT_TRUE(passed);
    EXPECT_TRUE(t.was_cancelled());
}

COIR_TEST(event, cancelled_and_set_in_one_round_it_does_not_pass) {
    coir::event e;
    auto t = coir::spawn([&] {
        e.wait();
        ADD_FAILURE();
    });
    until_parked(t);
    t.cancel();
    e.set();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

/// One that gave up is on no queue: what comes for its former wait must not end the next one.
COIR_TEST(event, a_late_set_ends_no_later_wait) {
    virtual_clock clock(virtual_clock::jumps::never);
    auto random = dice();
    for (int round = 0; round < 20; ++round) {
        coir::event first, second;
        bool has_passed_second = false;
        auto t = coir::spawn([&] {
            (void)first.wait_for(1ms);
            second.wait();
            has_passed_second = true;
        });
        until_parked(t);
        clock.advance(1ms);
        if (random() % 2) yield();
        first.set();
        if (random() % 2) first.set();
        run_until_parked();
        EXPECT_FALSE(has_passed_second);
        second.set();
        t.get();
    }
}

COIR_TEST(event, set_from_a_posted_function) {
    coir::event e;
    coir::hub::current().post([&] { e.set(); });
    e.wait();
}

COIR_TEST(event, a_posted_function_may_not_wait_and_may_pass) {
    coir::event e;
    auto t = coir::spawn([&] { e.wait(); });
    until_parked(t);
    EXPECT_EQ(thrown_when_posted([&] { e.wait(); }), "fiber_error");
    EXPECT_EQ(thrown_when_posted([&] { (void)e.wait_for(1ms); }), "fiber_error");
    e.set();
    EXPECT_EQ(thrown_when_posted([&] { e.wait(); }), "");
    t.get();
}

}  // namespace
