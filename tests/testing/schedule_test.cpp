#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "task/leftovers.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::testing::random_schedule;
using coir::testing::run_until_parked;

class scheduled : public task_tests::clean_test {};

/// Runs them, and waits for all of them.
template <class Body>
void run_fibers(int count, Body body) {
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(coir::spawn(body, i));
    for (auto& t : tasks) t.get();
}

using record = std::vector<int>;

/// Yields, a mutex, a channel and selects, by 50 fibers; the record tells who did what, one after the other.
record mixed_work() {
    record order;
    coir::mutex m;
    coir::channel<int> numbers(2), others;
    coir::event go;
    auto receiver = coir::spawn([&] {
        for (int got = 0; got < 50;) {
            coir::select(coir::on_recv(numbers, [&](std::optional<int> n) { order.push_back(10'000 + *n), ++got; }),
                         coir::on_recv(others, [&](std::optional<int> n) { order.push_back(20'000 + *n), ++got; }));
        }
    });
    run_fibers(50, [&](int i) {
        order.push_back(i);
        for (int k = 0; k < i % 4; ++k) coir::this_fiber::yield();
        {
            const std::lock_guard guard(m);
            order.push_back(1'000 + i);
            coir::this_fiber::yield();
        }
        if (i == 25) go.set();
        go.wait();
        coir::select(coir::on_send(numbers, i), coir::on_send(others, i));
        order.push_back(2'000 + i);
    });
    receiver.get();
    return order;
}

record mixed_work_in_order(std::uint64_t seed) {
    const random_schedule chance(seed);
    return mixed_work();
}

TEST_F(scheduled, the_same_seed_gives_the_same_order) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const record first = mixed_work_in_order(seed);
        EXPECT_EQ(first.size(), 50u * 4);
        for (int again = 0; again < 3; ++again) ASSERT_EQ(mixed_work_in_order(seed), first) << seed;
    }
}

TEST_F(scheduled, seeds_give_different_orders) {
    std::set<record> orders;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) orders.insert(mixed_work_in_order(seed));
    EXPECT_EQ(orders.size(), 200u);
}

/// The order in which four run that were spawned one after the other.
std::string order_of_four(std::uint64_t seed) {
    const random_schedule chance(seed);
    std::string order;
    run_fibers(4, [&](int i) { order += static_cast<char>('a' + i); });
    return order;
}

TEST_F(scheduled, all_orders_of_four_tasks_come_up) {
    std::map<std::string, int> seen;
    for (std::uint64_t seed = 1; seed <= 1'000; ++seed) ++seen[order_of_four(seed)];
    EXPECT_EQ(seen.size(), 24u);
    // None is a rarity: 41 or 42 is the mean, and 10 is five deviations away.
    for (const auto& [order, times] : seen) EXPECT_GT(times, 10) << order;
}

TEST_F(scheduled, the_extreme_seeds_are_seeds_too) {
    for (const std::uint64_t seed : {std::uint64_t{0}, ~std::uint64_t{0}}) {
        EXPECT_EQ(order_of_four(seed), order_of_four(seed));
    }
}

TEST_F(scheduled, the_order_of_wakes_is_random_too) {
    std::set<record> orders;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        const random_schedule chance(seed);
        record order;
        coir::event go;
        auto all = coir::spawn([&] {
            run_fibers(5, [&](int i) {
                go.wait();
                order.push_back(i);
            });
        });
        run_until_parked();
        EXPECT_TRUE(order.empty());
        go.set();
        all.get();
        orders.insert(order);
    }
    EXPECT_GT(orders.size(), 30u);
}

TEST_F(scheduled, nobody_starves) {
    const random_schedule chance(7);
    int loops = 0;
    bool done = false;
    auto other = coir::spawn([&] { done = true; });
    while (!done && loops < 1'000'000) {
        coir::this_fiber::yield();
        ++loops;
    }
    EXPECT_TRUE(done);
    other.join();
}

TEST_F(scheduled, cancelled_before_the_start_they_still_never_run) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        const random_schedule chance(seed);
        int ran = 0;
        std::vector<coir::task<void>> tasks;
        for (int i = 0; i < 10; ++i) tasks.push_back(coir::spawn([&] { ++ran; }));
        for (int i = 0; i < 10; i += 2) tasks[static_cast<std::size_t>(i)].cancel();
        for (auto& t : tasks) t.join();
        ASSERT_EQ(ran, 5) << seed;
    }
}

TEST_F(scheduled, without_it_first_come_is_first_served_again) {
    (void)mixed_work_in_order(3);
    std::string order;
    run_fibers(4, [&](int i) { order += static_cast<char>('a' + i); });
    EXPECT_EQ(order, "abcd");
}

TEST_F(scheduled, a_second_one_on_the_thread_is_refused_and_changes_nothing) {
    const std::string expected = order_of_four(5);
    const random_schedule chance(5);
    EXPECT_EQ(task_tests::thrown_by([] { const random_schedule second(6); }), "fiber_error");
    std::string order;
    run_fibers(4, [&](int i) { order += static_cast<char>('a' + i); });
    EXPECT_EQ(order, expected);
}

TEST_F(scheduled, threads_have_each_their_own) {
    const record alone = mixed_work_in_order(11);
    record there;
    const random_schedule chance(12);
    std::thread other([&] { there = mixed_work_in_order(11); });
    (void)mixed_work();
    other.join();
    EXPECT_EQ(there, alone);
}

TEST_F(scheduled, it_is_destroyed_while_fibers_are_ready) {
    int ran = 0;
    std::vector<coir::task<void>> tasks;
    {
        const random_schedule chance(1);
        for (int i = 0; i < 10; ++i) {
            tasks.push_back(coir::spawn([&] {
                coir::this_fiber::yield();
                ++ran;
            }));
        }
        coir::this_fiber::yield();
    }
    for (auto& t : tasks) t.join();
    EXPECT_EQ(ran, 10);
}

class until_parked : public task_tests::clean_test {};

TEST_F(until_parked, all_that_can_happen_has_happened) {
    coir::event go, never;
    int steps = 0;
    auto t = coir::spawn([&] {
        for (int i = 0; i < 1'000; ++i) {
            coir::this_fiber::yield();
            ++steps;
        }
        auto inner = coir::spawn([&] {
            coir::this_fiber::yield();
            ++steps;
        });
        inner.join();
        ++steps;
        go.wait();
    });
    run_until_parked();
    EXPECT_EQ(steps, 1'002);
    EXPECT_EQ(t.core().state(), coir::detail::fiber_state::parked);
    go.set();
    t.join();
}

TEST_F(until_parked, what_the_kernel_has_already_is_taken_in) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    bool woken = false;
    auto reader = coir::spawn([&] {
        coir::wait_readable(fds[0]);
        woken = true;
    });
    run_until_parked();
    EXPECT_FALSE(woken);
    ASSERT_EQ(::write(fds[1], "x", 1), 1);
    run_until_parked();
    EXPECT_TRUE(woken);
    reader.join();
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(until_parked, what_another_thread_has_sent_is_taken_in) {
    coir::event e;
    bool woken = false;
    auto waiting = coir::spawn([&] {
        e.wait();
        woken = true;
    });
    run_until_parked();
    std::thread([&] { e.set(); }).join();
    run_until_parked();
    EXPECT_TRUE(woken);
    waiting.join();
}

TEST_F(until_parked, sleepers_are_parked) {
    auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
    run_until_parked();
    EXPECT_FALSE(sleeper.done());
    sleeper.cancel();
    run_until_parked();
    EXPECT_TRUE(sleeper.done());
}

TEST_F(until_parked, in_any_order) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        const random_schedule chance(seed);
        coir::event go;
        int steps = 0;
        std::vector<coir::task<void>> tasks;
        for (int i = 0; i < 10; ++i) {
            tasks.push_back(coir::spawn([&] {
                for (int k = 0; k < 5; ++k, ++steps) coir::this_fiber::yield();
                go.wait();
            }));
        }
        run_until_parked();
        ASSERT_EQ(steps, 50) << seed;
        go.set();
        for (auto& t : tasks) t.join();
    }
}

TEST_F(until_parked, from_a_fiber_and_from_two_at_once) {
    coir::event go;
    auto worker = coir::spawn([&] { go.wait(); });
    auto first = coir::spawn([&] { run_until_parked(); });
    first.join();
    EXPECT_EQ(worker.core().state(), coir::detail::fiber_state::parked);
    go.set();
    worker.join();
}

TEST_F(until_parked, is_a_cancellation_point) {
    auto t = coir::spawn([] {
        for (;;) run_until_parked();
    });
    task_tests::yield_times(3);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

}  // namespace
