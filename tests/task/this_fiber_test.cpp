#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/task/this_fiber.hpp>

#include "task/leftovers.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <unordered_set>
#include <vector>

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using coir::this_fiber::sleep_for;
using coir::this_fiber::sleep_until;
using coir::this_fiber::yield;
using this_fiber = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

/// Whether the current fiber has the same stack after a yield.
bool stays_where_it_is() {
    const auto* own = coir::fiber::current().core();
    const auto* stack = own->stack;
    yield();
    return own->stack == stack;
}

TEST_F(this_fiber, yields_alone_before_it_has_ever_left_its_stack) {
    std::thread([] {
        EXPECT_TRUE(stays_where_it_is());
        auto first = coir::spawn([] {});
        auto on_the_stack_of_the_first = coir::spawn(stays_where_it_is);
        first.join();
        EXPECT_TRUE(on_the_stack_of_the_first.get());
        EXPECT_TRUE(coir::spawn(stays_where_it_is).get());
    }).join();
}

TEST_F(this_fiber, a_sleep_is_never_early) {
    std::mt19937 random(1);
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 1'000; ++i) {
        tasks.push_back(coir::spawn([span = std::chrono::nanoseconds(random() % 3'000'000)] {
            const auto begin = clock::now();
            sleep_for(span);
            EXPECT_GE(clock::now() - begin, span);
        }));
    }
    for (auto& t : tasks) t.get();
}

TEST_F(this_fiber, a_sleep_counts_from_now_also_after_long_work) {
    auto t = coir::spawn([] {
        const auto busy = coir::deadline::after(5ms);
        while (!busy.expired()) {
        }
        const auto begin = clock::now();
        sleep_for(3ms);
        EXPECT_GE(clock::now() - begin, 3ms);
    });
    t.get();
}

TEST_F(this_fiber, sleepers_wake_by_deadline_and_equal_ones_in_order) {
    coir::event all_are_there;  // starting them may take longer than the sleep
    clock::time_point now;
    std::vector<int> order;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 300; ++i) {
        tasks.push_back(coir::spawn([&, i] {
            all_are_there.wait();
            sleep_until(now + 200ms + std::chrono::milliseconds(2 * (2 - i / 100)));
            order.push_back(i);
        }));
    }
    coir::this_fiber::yield();
    now = clock::now();
    all_are_there.set();
    for (auto& t : tasks) t.get();
    std::vector<int> expected;
    for (int block : {200, 100, 0}) {
        for (int i = 0; i < 100; ++i) expected.push_back(block + i);
    }
    EXPECT_EQ(order, expected);
}

TEST_F(this_fiber, a_sleep_that_is_over_lets_others_run_once) {
    for (const auto span : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
        int turns = 0;
        auto t = coir::spawn([&] {
            ++turns;
            yield();
            ++turns;
        });
        sleep_for(span);
        EXPECT_EQ(turns, 1);
        t.get();
    }
    sleep_until(clock::time_point::min());
    sleep_until(std::chrono::system_clock::time_point());
}

TEST_F(this_fiber, a_sleep_that_overflows_lasts_until_it_is_cancelled) {
    std::vector<coir::task<void>> tasks;
    tasks.push_back(coir::spawn([] { sleep_for(std::chrono::nanoseconds::max()); }));
    tasks.push_back(coir::spawn([] { sleep_for(std::chrono::nanoseconds::max() - 1ns); }));
    tasks.push_back(coir::spawn([] { sleep_for(std::chrono::hours::max()); }));
    tasks.push_back(coir::spawn([] { sleep_for(std::chrono::duration<double>(1e300)); }));
    tasks.push_back(coir::spawn([] { sleep_until(clock::time_point::max()); }));
    tasks.push_back(coir::spawn([] { sleep_until(std::chrono::system_clock::time_point::max()); }));
    sleep_for(2ms);
    for (auto& t : tasks) {
        EXPECT_FALSE(t.done());
        t.cancel();
        t.join();
        EXPECT_TRUE(t.was_cancelled());
    }
}

TEST_F(this_fiber, sleeps_until_points_of_other_clocks) {
    const auto wall = std::chrono::system_clock::now() + 3ms;
    sleep_until(wall);
    // A deadline of the wall clock is converted once: a step of it meanwhile is not followed.
    EXPECT_GE(std::chrono::system_clock::now() + 1ms, wall);
}

TEST_F(this_fiber, a_yield_with_nobody_else_ready_returns) {
    for (int i = 0; i < 10'000; ++i) yield();
}

TEST_F(this_fiber, a_yield_is_a_cancellation_point) {
    auto t = coir::spawn([] {
        for (;;) yield();
    });
    yield();
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(this_fiber, a_thousand_sleepers_are_cancelled_without_a_trace) {
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 1'000; ++i) tasks.push_back(coir::spawn([] { sleep_for(1h); }));
    until_parked(tasks.back());
    for (auto& t : tasks) t.cancel();
    for (auto& t : tasks) t.join();
    EXPECT_EQ(coir::detail::hub_core::current().timers().size(), 0u);
}

TEST_F(this_fiber, ids_are_unique_and_stay) {
    std::set<coir::fiber_id> ids{coir::this_fiber::get_id()};
    std::unordered_set<coir::fiber_id> hashed;
    EXPECT_EQ(coir::this_fiber::get_id(), coir::this_fiber::get_id());
    for (int i = 0; i < 100; ++i) {
        const auto id = coir::spawn([] {
                            const auto before = coir::this_fiber::get_id();
                            yield();
                            EXPECT_EQ(before, coir::this_fiber::get_id());
                            return before;
                        }).get();
        EXPECT_TRUE(ids.insert(id).second);
        EXPECT_TRUE(hashed.insert(id).second);
    }
    coir::fiber_id there;
    std::thread([&] { there = coir::this_fiber::get_id(); }).join();
    EXPECT_TRUE(ids.insert(there).second);
}

TEST_F(this_fiber, an_id_prints_as_the_number_in_the_default_name) {
    const auto [id, name] =
        coir::spawn([] { return std::pair(coir::this_fiber::get_id(), coir::this_fiber::name()); }).get();
    std::ostringstream text;
    text << "fiber-" << id;
    EXPECT_EQ(text.str(), name);
    EXPECT_EQ(coir::this_fiber::name(), "main");
}

TEST_F(this_fiber, works_on_a_thread_that_had_no_hub) {
    std::thread([] {
        yield();
        const auto begin = clock::now();
        sleep_for(1ms);
        EXPECT_GE(clock::now() - begin, 1ms);
    }).join();
}

}  // namespace
