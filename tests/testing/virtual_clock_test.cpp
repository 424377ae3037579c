#include <coir/exec.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "task/leftovers.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::testing::run_until_parked;
using coir::testing::virtual_clock;
using real_clock = std::chrono::steady_clock;

/// Long for real time, and nothing for virtual time. What takes it really has not jumped.
constexpr auto patience = 10s;

COIR_TEST(virtual_time, a_day_of_sleeping_takes_a_moment) {
    const auto start = real_clock::now();
    const virtual_clock clock;
    for (int i = 0; i < 24; ++i) coir::this_fiber::sleep_for(1h);
    EXPECT_EQ(clock.elapsed(), 24h);
    EXPECT_LT(real_clock::now() - start, patience);
}

COIR_TEST(virtual_time, stands_still_while_fibers_run) {
    const virtual_clock clock;
    const auto real_end = real_clock::now() + 20ms;
    while (real_clock::now() < real_end) coir::this_fiber::yield();
    EXPECT_EQ(clock.elapsed(), 0ns);
    const coir::deadline in_a_nanosecond = coir::deadline::after(1ns);
    for (int i = 0; i < 1'000; ++i) coir::this_fiber::yield();
    EXPECT_FALSE(in_a_nanosecond.expired());
    EXPECT_EQ(in_a_nanosecond.remaining().count(), 1ns);
}

COIR_TEST(virtual_time, what_happens_happens_in_the_order_of_deadlines) {
    const virtual_clock clock;
    std::vector<int> hours(200);
    std::iota(hours.begin(), hours.end(), 1);
    std::mt19937 random(17);
    std::shuffle(hours.begin(), hours.end(), random);
    std::vector<int> order;
    std::vector<coir::task<void>> tasks;
    for (const int h : hours) {
        tasks.push_back(coir::spawn([&, h] {
            coir::this_fiber::sleep_for(std::chrono::hours(h));
            EXPECT_EQ(clock.elapsed(), std::chrono::hours(h)) << "each wakes at its time, not later";
            order.push_back(h);
        }));
    }
    for (auto& t : tasks) t.join();
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(clock.elapsed(), 200h);
}

COIR_TEST_WITH(virtual_time, equal_deadlines_are_served_in_the_order_of_arming, .in_any_order = false) {
    const virtual_clock clock;
    const coir::deadline noon = coir::deadline::after(12h);
    std::vector<int> order;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(coir::spawn([&, i] {
            coir::this_fiber::sleep_until(noon);
            order.push_back(i);
        }));
    }
    for (auto& t : tasks) t.join();
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

COIR_TEST(virtual_time, it_is_the_next_timer_that_it_jumps_to) {
    const virtual_clock clock;
    auto early = coir::spawn([] { coir::this_fiber::sleep_for(1ns); });
    auto late = coir::spawn([] { coir::this_fiber::sleep_for(24h * 365); });
    early.join();
    EXPECT_EQ(clock.elapsed(), 1ns);
    late.cancel();
    late.join();
    EXPECT_EQ(clock.elapsed(), 1ns) << "a cancelled timer is none";
}

COIR_TEST(virtual_time, limits_are_exact) {
    const virtual_clock clock;
    coir::event never;
    EXPECT_FALSE(never.wait_for(90s));
    EXPECT_EQ(clock.elapsed(), 90s);
    try {
        const coir::timeout limit(10s);
        coir::this_fiber::sleep_for(10s + 1ns);
        ADD_FAILURE();
    } catch (const coir::timed_out&) {
    }
    EXPECT_EQ(clock.elapsed(), 100s);
    coir::channel<int> silent;
    EXPECT_EQ(silent.recv_for(1h), std::nullopt);
    EXPECT_EQ(clock.elapsed(), 1h + 100s);
}

COIR_TEST(virtual_time, many_short_steps) {
    const auto start = real_clock::now();
    const virtual_clock clock;
    for (int i = 0; i < 1'000; ++i) coir::this_fiber::sleep_for(1ms);
    EXPECT_EQ(clock.elapsed(), 1s);
    EXPECT_LT(real_clock::now() - start, patience);
}

// --- advance()

COIR_TEST(manual_time, never_moves_by_itself) {
    const virtual_clock clock(virtual_clock::jumps::never);
    auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1ns); });
    run_until_parked();
    for (int i = 0; i < 100; ++i) run_until_parked();
    EXPECT_FALSE(sleeper.done());
    EXPECT_EQ(clock.elapsed(), 0ns);
    sleeper.cancel();
    sleeper.join();
}

COIR_TEST(manual_time, what_is_due_happens_at_the_next_suspension_and_not_before) {
    virtual_clock clock(virtual_clock::jumps::never);
    std::string events;
    std::vector<coir::task<void>> tasks;
    for (const char letter : {'c', 'a', 'b'}) {
        tasks.push_back(coir::spawn([&, letter] {
            coir::this_fiber::sleep_for(std::chrono::seconds(letter - 'a' + 1));
            events += letter;
        }));
    }
    run_until_parked();
    clock.advance(1s - 1ns);
    run_until_parked();
    EXPECT_EQ(events, "");
    clock.advance(1ns);
    EXPECT_EQ(events, "");
    run_until_parked();
    EXPECT_EQ(events, "a");
    clock.advance(10s);
    run_until_parked();
    EXPECT_EQ(clock.elapsed(), 11s);
    std::sort(events.begin(), events.end());  // the two were due at once, in whatever order they run
    EXPECT_EQ(events, "abc");
    for (auto& t : tasks) t.join();
}

COIR_TEST(manual_time, a_hub_that_sleeps_already_sees_it) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::hub_pool hubs(1);
    std::atomic<bool> asleep{false};
    auto there = hubs.spawn([&] {
        asleep = true;
        coir::this_fiber::sleep_for(1h);
    });
    while (!asleep) coir::this_fiber::yield();
    EXPECT_FALSE(there.done());
    while (!there.done()) {
        clock.advance(2h);
        ::sched_yield();
    }
    there.join();
}

COIR_TEST(manual_time, advance_moves_a_clock_that_jumps_too) {
    virtual_clock clock;
    clock.advance(30min);
    EXPECT_EQ(clock.elapsed(), 30min);
    coir::this_fiber::sleep_for(30min);
    EXPECT_EQ(clock.elapsed(), 1h);
    clock.advance(-5s);
    EXPECT_EQ(clock.elapsed(), 1h) << "never back";
}

// --- several hubs, and threads without one

COIR_TEST(virtual_time, is_the_same_for_all_hubs) {
    const virtual_clock clock;
    coir::hub_pool hubs(4);
    std::atomic<int> awake{0};
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 40; ++i) {
        tasks.push_back(hubs.spawn_on(static_cast<std::size_t>(i % 4), [&, i] {
            for (int k = 0; k < 5; ++k) coir::this_fiber::sleep_for(std::chrono::minutes(i + 1));
            EXPECT_EQ(clock.elapsed(), std::chrono::minutes(5 * (i + 1)));
            ++awake;
        }));
    }
    for (auto& t : tasks) t.join();
    EXPECT_EQ(awake, 40);
    EXPECT_EQ(clock.elapsed(), 200min);
}

/// One hub's wake is another's: the clock must not run ahead of a message that is on its way.
COIR_TEST(virtual_time, does_not_overtake_what_hubs_send_each_other) {
    const virtual_clock clock;
    coir::hub_pool hubs(2);
    coir::channel<int> ping, pong;
    auto other = hubs.spawn([&] {
        while (const auto n = ping.recv()) pong.send(*n);
    });
    for (int i = 0; i < 300; ++i) {
        ping.send(i);
        ASSERT_EQ(pong.recv_for(1ns), i) << "there was no reason for time to pass";
        coir::this_fiber::sleep_for(1s);
    }
    ping.close();
    other.join();
    EXPECT_EQ(clock.elapsed(), 300s);
}

COIR_TEST(virtual_time, does_not_jump_while_a_hub_computes) {
    const virtual_clock clock;
    coir::hub_pool hubs(2);
    std::atomic<bool> computes{false}, stop{false};
    auto busy = hubs.spawn_on(0, [&] {
        computes = true;
        while (!stop) ::sched_yield();
    });
    while (!computes) coir::this_fiber::yield();
    const auto start = clock.elapsed();
    auto sleeper = hubs.spawn_on(1, [] { coir::this_fiber::sleep_for(1h); });
    const auto real_end = real_clock::now() + 30ms;
    while (real_clock::now() < real_end) run_until_parked();
    EXPECT_EQ(clock.elapsed(), start);
    stop = true;
    sleeper.join();
    busy.join();
    EXPECT_EQ(clock.elapsed(), start + 1h);
}

COIR_TEST(virtual_time, does_not_jump_while_a_job_of_a_thread_pool_is_outstanding) {
    const virtual_clock clock;
    coir::thread_pool pool(1);
    std::atomic<bool> go{false};
    auto running = pool.submit([&] {
        while (!go) ::sched_yield();
    });
    auto queued = pool.submit([] {});
    auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
    run_until_parked();
    const auto real_end = real_clock::now() + 30ms;
    while (real_clock::now() < real_end) run_until_parked();
    EXPECT_EQ(clock.elapsed(), 0ns);
    go = true;
    queued.get();
    EXPECT_EQ(clock.elapsed(), 0ns);
    sleeper.join();
    EXPECT_EQ(clock.elapsed(), 1h);
    running.get();
}

COIR_TEST(virtual_time, an_offloaded_call_takes_none) {
    const virtual_clock clock;
    auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
    for (int i = 0; i < 100; ++i) EXPECT_EQ(coir::offload([i] { return i; }), i);
    coir::offload([] {
        const auto real_end = real_clock::now() + 20ms;
        while (real_clock::now() < real_end) ::sched_yield();
    });
    EXPECT_EQ(clock.elapsed(), 0ns);
    sleeper.join();
    EXPECT_EQ(clock.elapsed(), 1h);
}

/// The clock must not wait for a job that waits for the clock.
COIR_TEST(virtual_time, a_job_that_sleeps_sleeps_by_it) {
    virtual_clock clock;
    coir::thread_pool pool(1);
    pool.submit([] { coir::this_fiber::sleep_for(1h); }).get();
    EXPECT_EQ(clock.elapsed(), 1h);
}

/// Only timers of fibers are timers: what coir looks at for itself from time to time is no reason for time to pass.
COIR_TEST(virtual_time, without_a_timer_it_does_not_pass) {
    const virtual_clock clock;
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    coir::spawn([] {}).join();  // so that there is an idle stack
    std::thread outside([&] {
        const auto real_end = real_clock::now() + 30ms;
        while (real_clock::now() < real_end) ::sched_yield();
        EXPECT_EQ(::write(fds[1], "x", 1), 1);
    });
    coir::wait_readable(fds[0]);
    outside.join();
    ::close(fds[0]);
    ::close(fds[1]);
    EXPECT_EQ(clock.elapsed(), 0ns);
}

TEST(virtual_time_alone, says_nothing_of_a_deadlock_while_a_foreign_thread_is_about_to_wake) {
    testing::internal::CaptureStderr();
    std::chrono::nanoseconds elapsed{};
    {
        const virtual_clock clock;
        coir::event e;
        std::thread outside([&] {
            const auto real_end = real_clock::now() + 50ms;
            while (real_clock::now() < real_end) ::sched_yield();
            e.set();
        });
        e.wait();
        outside.join();
        elapsed = clock.elapsed();
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(elapsed, 0ns);
}

/// "The limits of plain threads run out by the real clock."
TEST(virtual_time_alone, the_limits_of_plain_threads_are_of_real_time) {
    virtual_clock clock(virtual_clock::jumps::never);
    std::atomic<bool> over{false};
    const auto start = real_clock::now();
    std::thread plain([&] {
        coir::event never;
        EXPECT_FALSE(never.wait_for(20ms));
        over = true;
    });
    while (!over && real_clock::now() - start < patience) ::sched_yield();
    EXPECT_TRUE(over);
    EXPECT_GE(real_clock::now() - start, 20ms);
    clock.advance(1h);  // whatever it waited for
    plain.join();
}

TEST(virtual_time_alone, the_threads_of_a_pool_end_when_they_have_been_idle_for_a_real_time) {
    const virtual_clock clock(virtual_clock::jumps::never);
    coir::thread_pool pool({.max_threads = 2, .idle_time = 5ms});
    pool.submit([] {}).get();
    const auto limit = real_clock::now() + patience;
    while (pool.size() != 0 && real_clock::now() < limit) ::sched_yield();
    EXPECT_EQ(pool.size(), 0u);
}

// --- its beginning and its end

COIR_TEST(virtual_time, timers_from_before_it_run_by_it) {
    coir::event ready;
    auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
    run_until_parked();
    const virtual_clock clock;
    sleeper.join();
    EXPECT_LE(clock.elapsed(), 1h);
    EXPECT_GT(clock.elapsed(), 59min);
}

COIR_TEST(virtual_time, after_its_end_time_is_real_again) {
    {
        const virtual_clock clock;
        coir::this_fiber::sleep_for(24h * 1'000);
    }
    const auto start = real_clock::now();
    coir::this_fiber::sleep_for(5ms);
    EXPECT_GE(real_clock::now() - start, 5ms);
    EXPECT_LT(real_clock::now() - start, patience);
    coir::event never;
    EXPECT_FALSE(never.wait_for(5ms));
    const auto now = real_clock::now().time_since_epoch().count();
    const auto seen = coir::deadline::after(0s).nanoseconds();
    EXPECT_LT(std::abs(now - seen), std::chrono::nanoseconds(patience).count());
}

COIR_TEST(virtual_time, timers_that_outlive_it_are_in_order_among_new_ones) {
    std::string order;
    coir::task<void> old;
    {
        const virtual_clock clock(virtual_clock::jumps::never);
        old = coir::spawn([&] {
            coir::this_fiber::sleep_for(10ms);
            order += 'o';
        });
        run_until_parked();
    }
    auto later = coir::spawn([&] {
        coir::this_fiber::sleep_for(200ms);
        order += 'l';
    });
    auto sooner = coir::spawn([&] {
        coir::this_fiber::sleep_for(0ms);
        order += 's';
    });
    for (auto* t : {&old, &later, &sooner}) t->join();
    EXPECT_EQ(order.back(), 'l');
    EXPECT_EQ(order.size(), 3u);
}

COIR_TEST(virtual_time, one_after_the_other) {
    for (int i = 0; i < 20; ++i) {
        const virtual_clock clock;
        coir::this_fiber::sleep_for(1h);
        EXPECT_EQ(clock.elapsed(), 1h);
    }
    const auto start = real_clock::now();
    coir::this_fiber::sleep_for(1ms);
    EXPECT_GE(real_clock::now() - start, 1ms);
}

COIR_TEST(virtual_time, a_second_one_is_refused_and_the_first_goes_on) {
    const virtual_clock clock;
    EXPECT_EQ(task_tests::thrown_by([] { const virtual_clock second; }), "fiber_error");
    coir::hub_pool hubs(1);
    EXPECT_EQ(task_tests::thrown_by([&] { hubs.spawn([] { const virtual_clock second; }).get(); }), "fiber_error");
    coir::this_fiber::sleep_for(1h);
    EXPECT_EQ(clock.elapsed(), 1h);
}

COIR_TEST(virtual_time, forever_is_still_forever) {
    const virtual_clock clock;
    auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(coir::time_span::forever()); });
    coir::this_fiber::sleep_for(24h * 365 * 100);
    EXPECT_FALSE(sleeper.done());
    sleeper.cancel();
    sleeper.join();
}

}  // namespace
