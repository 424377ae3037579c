#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/sync/event.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using event = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

TEST_F(event, lets_pass_when_it_is_set_and_not_before) {
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

TEST_F(event, wakes_all_in_the_order_in_which_they_came) {
    coir::event e;
    std::string order;
    std::vector<coir::task<void>> tasks;
    for (char c = 'a'; c <= 'j'; ++c) {
        tasks.push_back(coir::spawn([&, c] {
            e.wait();
            order += c;
        }));
    }
    until_parked(tasks.back());
    e.set();
    for (auto& t : tasks) t.get();
    EXPECT_EQ(order, "abcdefghij");
}

TEST_F(event, set_and_cleared_at_once_wakes_all_who_waited) {
    coir::event e;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(coir::spawn([&] { e.wait(); }));
    until_parked(tasks.back());
    e.set();
    e.clear();
    for (auto& t : tasks) t.get();
    EXPECT_FALSE(e.is_set());
}

TEST_F(event, limits_are_never_early_and_tell) {
    coir::event e;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(e.wait_for(3ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    EXPECT_FALSE(e.wait_until(coir::deadline::after(0ms)));
    e.set();
    EXPECT_TRUE(e.wait_for(1h));
}

TEST_F(event, set_in_the_round_of_the_limit_wins) {
    coir::event e;
    const auto end = coir::deadline::after(1ms);
    auto t = coir::spawn([&] { return e.wait_until(end); });
    until_parked(t);
    while (!end.expired()) {
    }
    e.set();
    EXPECT_TRUE(t.get());
}

TEST_F(event, a_cancelled_or_timed_out_waiter_leaves_the_others) {
    coir::event e;
    auto first = coir::spawn([&] { e.wait(); });
    auto second = coir::spawn([&] { return e.wait_for(1ms); });
    auto third = coir::spawn([&] { e.wait(); });
    until_parked(third);
    first.cancel();
    first.join();
    EXPECT_FALSE(second.get());
    EXPECT_FALSE(third.done());
    e.set();
    third.get();
    EXPECT_TRUE(first.was_cancelled());
}

TEST_F(event, woken_and_cancelled_in_one_round_it_passes) {
    coir::event e;
    bool passed = false;
    auto t = coir::spawn([&] {
        e.wait();
        passed = true;
        coir::this_fiber::yield();
        ADD_FAILURE();
    });
    until_parked(t);
    e.set();
    t.cancel();
    t.join();
    EXPECT_TRUE(passed);
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(event, is_set_and_waited_for_across_hubs_and_plain_threads) {
    for (int i = 0; i < 200; ++i) {
        coir::event there, back, plain;
        std::thread hub_thread([&] {
            auto t = coir::spawn([&] {
                there.wait();
                plain.set();
            });
            t.get();
        });
        std::thread plain_thread([&] {
            plain.wait();
            back.set();
        });
        auto t = coir::spawn([&] { back.wait(); });
        there.set();
        t.get();
        hub_thread.join();
        plain_thread.join();
    }
}

TEST_F(event, a_plain_thread_waits_with_a_limit) {
    coir::event e;
    std::thread([&] {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_FALSE(e.wait_for(2ms));
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 2ms);
        e.set();
        EXPECT_TRUE(e.wait_for(1h));
    }).join();
}

TEST_F(event, may_be_destroyed_by_whom_it_wakes) {
    std::atomic<coir::event*> next{nullptr};
    std::atomic<bool> stop{false};
    std::thread setter([&] {
        while (!stop) {
            if (coir::event* e = next.exchange(nullptr)) e->set();
        }
    });
    for (int i = 0; i < 20'000; ++i) {
        auto e = std::make_unique<coir::event>();
        next = e.get();
        if (i % 2) {
            while (!e->is_set()) {
            }
        }
        e->wait();
    }
    stop = true;
    setter.join();
}

TEST_F(event, wakes_a_multitude_at_once) {
    coir::event e;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < task_tests::multitude; ++i)
        tasks.push_back(coir::spawn({.stack_size = 16384}, [&] { e.wait(); }));
    until_parked(tasks.back());
    e.set();
    for (auto& t : tasks) t.get();
}

TEST_F(event, set_from_a_posted_function) {
    coir::event e;
    coir::hub::current().post([&] { e.set(); });
    e.wait();
}

TEST_F(event, waits_with_tiny_limits_against_sets_from_two_threads_lose_nothing) {
    coir::event ping;
    std::atomic<bool> stop{false};
    std::thread setters[2];
    for (auto& t : setters) {
        t = std::thread([&] {
            while (!stop) {
                ping.set();
                ping.clear();
            }
        });
    }
    int seen = 0;
    for (int i = 0; i < 2'000; ++i) seen += ping.wait_for(50us);
    stop = true;
    for (auto& t : setters) t.join();
    EXPECT_GT(seen, 0);
}

}  // namespace
