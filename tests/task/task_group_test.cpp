#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/task/task_group.hpp>

#include "task/leftovers.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using task_group = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

/// Collects the names of those whose errors nobody saw, as long as it lives.
struct unhandled_errors {
    unhandled_errors() {
        coir::hub::current().on_unhandled(
            [this](std::string_view name, std::exception_ptr) { names.emplace_back(name); });
    }
    ~unhandled_errors() { coir::hub::current().on_unhandled(nullptr); }
    std::vector<std::string> names;
};

TEST_F(task_group, none_outlives_the_scope) {
    int ended = 0;
    {
        coir::task_group g;
        for (int i = 0; i < 10; ++i) {
            g.spawn([&, i] {
                sleep_for(std::chrono::microseconds(i * 100));
                ++ended;
            });
        }
        EXPECT_EQ(g.size(), 10u);
    }
    EXPECT_EQ(ended, 10);
}

TEST_F(task_group, members_give_results) {
    coir::task_group g;
    auto a = g.spawn([](int i) { return i + 1; }, 1);
    auto b = g.spawn({.name = "b"}, [] { return coir::this_fiber::name(); });
    g.join();
    EXPECT_EQ(a.get(), 2);
    EXPECT_EQ(b.get(), "b");
    EXPECT_EQ(g.size(), 0u);
    g.spawn([] {});
    g.join();
}

TEST_F(task_group, the_first_failure_cancels_the_others_and_join_rethrows_it_once) {
    coir::task_group g;
    auto sleeper = g.spawn([] { sleep_for(1h); });
    auto stubborn = g.spawn([] {
        thrown_by([] { sleep_for(1h); });
        throw std::runtime_error("second");
    });
    g.spawn([] {
        yield();
        throw std::runtime_error("first");
    });
    EXPECT_EQ(thrown_by([&] { g.join(); }), "first");
    EXPECT_TRUE(sleeper.was_cancelled());
    EXPECT_TRUE(stubborn.done());
    g.join();
}

TEST_F(task_group, in_one_that_has_failed_a_new_member_never_starts) {
    coir::task_group g;
    g.spawn([] { throw std::runtime_error("x"); });
    EXPECT_EQ(thrown_by([&] { g.join(); }), "x");
    bool ran = false;
    auto late = g.spawn([&] { ran = true; });
    g.join();
    EXPECT_FALSE(ran);
    EXPECT_TRUE(late.was_cancelled());
}

TEST_F(task_group, a_failure_does_not_interrupt_the_owners_body) {
    coir::task_group g;
    g.spawn([] { throw std::runtime_error("x"); });
    sleep_for(1ms);
    yield();
    EXPECT_EQ(thrown_by([&] { g.join(); }), "x");
}

TEST_F(task_group, a_member_that_is_cancelled_is_no_failure) {
    coir::task_group g;
    auto a = g.spawn([] { sleep_for(1h); });
    int ended = 0;
    g.spawn([&] {
        sleep_for(1ms);
        ++ended;
    });
    until_parked(a);
    a.cancel();
    g.join();
    EXPECT_EQ(ended, 1);
}

TEST_F(task_group, cancel_ends_all_and_those_that_come_later) {
    coir::task_group g;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(g.spawn([] { sleep_for(1h); }));
    until_parked(tasks.back());
    g.cancel();
    tasks.push_back(g.spawn([] { ADD_FAILURE(); }));
    g.join();
    for (auto& t : tasks) EXPECT_TRUE(t.was_cancelled());
}

TEST_F(task_group, left_by_an_exception_cancels_its_members_and_joins_them) {
    std::optional<coir::task<void>> member;
    EXPECT_EQ(thrown_by([&] {
                  coir::task_group g;
                  member = g.spawn([] { sleep_for(1h); });
                  yield();
                  throw std::runtime_error("body");
              }),
              "body");
    EXPECT_TRUE(member->was_cancelled());
}

TEST_F(task_group, in_a_destructor_during_unwinding_it_ends_like_any) {
    bool finished = false;
    struct at_end {
        bool& finished;
        ~at_end() {
            coir::task_group g;
            g.spawn([this] {
                yield();
                finished = true;
            });
        }
    };
    EXPECT_EQ(thrown_by([&] {
                  const at_end last{finished};
                  throw std::runtime_error("x");
              }),
              "x");
    EXPECT_TRUE(finished) << "its own scope was not left by an exception";
}

TEST_F(task_group, an_error_that_no_join_has_seen_is_reported_by_name) {
    unhandled_errors seen;
    {
        coir::task_group g;
        g.spawn({.name = "lost"}, [] { throw std::runtime_error("x"); });
    }
    EXPECT_EQ(seen.names, std::vector<std::string>{"lost"});
    thrown_by([] {
        coir::task_group g;
        g.spawn([] { throw std::runtime_error("x"); });
        g.join();
    });
    EXPECT_EQ(seen.names.size(), 1u) << "this one was joined";
}

TEST_F(task_group, a_limit_makes_spawn_wait_for_room) {
    int alive = 0, most = 0;
    coir::task_group g({.limit = 3});
    for (int i = 0; i < 20; ++i) {
        g.spawn([&] {
            most = std::max(most, ++alive);
            sleep_for(50us);
            --alive;
        });
    }
    g.join();
    EXPECT_EQ(most, 3);
}

TEST_F(task_group, a_limit_holds_across_hubs) {
    std::atomic<int> alive{0}, most{0};
    coir::task_group g({.limit = 1});
    std::thread threads[3];
    for (auto& t : threads) {
        t = std::thread([&] {
            std::vector<coir::task<void>> mine;
            for (int i = 0; i < 1'000; ++i) {
                mine.push_back(g.spawn([&] {
                    int seen = most;
                    const int now = ++alive;
                    while (now > seen && !most.compare_exchange_weak(seen, now)) {
                    }
                    yield();
                    --alive;
                }));
            }
            for (auto& each : mine) each.join();
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(most, 1);
}

TEST_F(task_group, a_limit_of_none_is_one) {
    coir::task_group g({.limit = 0});
    for (int i = 0; i < 3; ++i) g.spawn([] { yield(); });
    EXPECT_EQ(g.size(), 1u);
    g.join();
}

TEST_F(task_group, waiting_for_room_is_a_cancellation_point) {
    coir::event go;
    coir::task_group g({.limit = 1});
    g.spawn([&] { go.wait(); });
    auto t = coir::spawn([&] { g.spawn([] { ADD_FAILURE(); }); });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(g.size(), 1u);
    go.set();
    g.join();
}

TEST_F(task_group, a_cancelled_join_leaves_the_members_and_its_scope_cancels_them) {
    coir::task<void> member;
    auto owner = coir::spawn([&] {
        coir::task_group g;
        member = g.spawn([] { sleep_for(1h); });
        g.join();
    });
    until_parked(owner);
    owner.cancel();
    owner.join();
    EXPECT_TRUE(owner.was_cancelled() && member.was_cancelled());
}

TEST_F(task_group, its_end_waits_for_the_goodbyes_of_the_cancelled) {
    bool said = false;
    auto owner = coir::spawn([&] {
        coir::task_group g;
        g.spawn([&] {
            thrown_by([] { sleep_for(1h); });
            sleep_for(2ms);
            said = true;
        });
        g.join();
    });
    until_parked(owner);
    owner.cancel();
    owner.join();
    EXPECT_TRUE(said);
}

TEST_F(task_group, left_by_a_fiber_that_was_dropped_ends_its_members) {
    coir::event e;
    coir::task<void> member;
    coir::fiber f([&] {
        coir::task_group g;
        member = g.spawn([&] { e.wait(); });
        thrown_by([] { sleep_for(1h); });
        e.set();
    });
    auto t = coir::spawn([&] { f.switch_to(); });
    task_tests::yield_times(3);
    f = {};
    t.join();
    EXPECT_TRUE(member.done() && !member.was_cancelled());
}

TEST_F(task_group, members_may_spawn_members) {
    std::atomic<int> count{0};
    {
        coir::task_group g;
        std::function<void(int)> grow = [&](int depth) {
            ++count;
            if (depth == 0) return;
            for (int i = 0; i < 2; ++i) g.spawn(grow, depth - 1);
        };
        g.spawn(grow, 8);
        g.join();
    }
    EXPECT_EQ(count, (1 << 9) - 1);
}

TEST_F(task_group, members_on_several_hubs_one_of_which_fails) {
    for (int round = 0; round < 50; ++round) {
        coir::task_group g;
        std::atomic<int> ended{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&, i] {
                std::vector<coir::task<void>> mine;
                for (int n = 0; n < 5; ++n) {
                    mine.push_back(g.spawn([&, i, n] {
                        struct counted {
                            std::atomic<int>& n;
                            ~counted() { ++n; }
                        } const at_end{ended};
                        if (i == 1 && n == 3) throw std::runtime_error("one");
                        sleep_for(1h);
                    }));
                }
                for (auto& t : mine) t.join();
            });
        }
        for (auto& t : threads) t.join();
        EXPECT_EQ(thrown_by([&] { g.join(); }), "one");
        EXPECT_LE(ended, 15);
    }
}

TEST_F(task_group, runs_its_members_on_a_pool) {
    coir::hub_pool hubs(2);
    std::atomic<int> sum{0};
    coir::task_group group({.pool = &hubs});
    std::atomic<bool> elsewhere{true};
    const auto here = std::this_thread::get_id();
    for (int i = 1; i <= 100; ++i) {
        group.spawn([&, i] {
            sum += i;
            if (std::this_thread::get_id() == here) elsewhere = false;
        });
    }
    group.join();
    EXPECT_EQ(sum, 5050);
    EXPECT_TRUE(elsewhere);
}

TEST_F(task_group, a_failure_cancels_members_on_a_pool) {
    coir::hub_pool hubs(2);
    coir::task_group group({.pool = &hubs});
    for (int i = 0; i < 20; ++i) group.spawn([] { coir::event().wait(); });
    group.spawn([] { throw std::runtime_error("one of them"); });
    EXPECT_THROW(group.join(), std::runtime_error);
}

}  // namespace
