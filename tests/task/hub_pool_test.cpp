#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/hub_pool_test.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace hub_pool_tests;
using coir::hub_pool;
using task_tests::thrown_by;

// --- spawning

TEST_F(pooled, has_as_many_hubs_as_asked_for) {
    hub_pool hubs(3);
    EXPECT_EQ(hubs.size(), 3u);
    std::set<std::thread::id> threads;
    std::set<coir::hub*> seen;
    for (std::size_t i = 0; i < 3; ++i) {
        threads.insert(hubs.spawn_on(i, [] { return std::this_thread::get_id(); }).get());
        seen.insert(hubs.spawn_on(i, [] { return &coir::hub::current(); }).get());
        EXPECT_EQ(hubs.spawn_on(i, [] { return coir::hub::current(); }).get(), hubs.hub(i));
    }
    EXPECT_EQ(threads.size(), 3u);
    EXPECT_EQ(seen.size(), 3u);
    EXPECT_EQ(threads.count(std::this_thread::get_id()), 0u);
}

TEST_F(pooled, none_stands_for_the_number_of_processors) {
    const hub_pool hubs;
    EXPECT_EQ(hubs.size(), std::max(1u, std::thread::hardware_concurrency()));
}

TEST_F(pooled, its_threads_have_names) {
    hub_pool hubs({.hubs = 2, .name = "mill"});
    const auto name = [] {
        char text[16];
        ::pthread_getname_np(::pthread_self(), text, sizeof text);
        return std::string(text);
    };
    EXPECT_EQ(hubs.spawn_on(0, name).get(), "mill-0");
    EXPECT_EQ(hubs.spawn_on(1, name).get(), "mill-1");
    hub_pool longer({.hubs = 1, .name = "a name that no kernel takes"});
    EXPECT_EQ(longer.spawn(name).get(), "a name that no ");
}

TEST_F(pooled, takes_what_spawn_takes) {
    hub_pool hubs(2);
    EXPECT_EQ(hubs.spawn([](int a, std::unique_ptr<int> b) { return a + *b; }, 1, std::make_unique<int>(2)).get(), 3);
    EXPECT_EQ(hubs.spawn({.name = "named"}, [] { return coir::this_fiber::name(); }).get(), "named");
    int here = 0;
    EXPECT_EQ(&hubs.spawn([](int& i) -> int& { return i; }, std::ref(here)).get(), &here);
    auto moved = hubs.spawn([] { return std::make_unique<int>(7); });
    EXPECT_EQ(*std::move(moved).get(), 7);
    std::function<void()> null;
    EXPECT_EQ(thrown_by([&] { hubs.spawn(null); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { hubs.spawn({.stack_size = 1}, [] {}).get(); }),
              thrown_by([] { coir::spawn({.stack_size = 1}, [] {}).get(); }));
}

TEST_F(pooled, from_outside_it_goes_from_hub_to_hub) {
    hub_pool hubs(4);
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::atomic<int> arrived{0};
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 4; ++i) {
        tasks.push_back(hubs.spawn([&] {
            {
                const std::lock_guard guard(mutex);
                threads.insert(std::this_thread::get_id());
            }
            ++arrived;
            while (arrived < 4) ::sched_yield();  // all four at the same time
        }));
    }
    for (auto& t : tasks) t.join();
    EXPECT_EQ(threads.size(), 4u);
}

TEST_F(pooled, from_inside_it_stays_on_its_hub_unless_another_is_idle) {
    hub_pool hubs(1);
    const auto ids = hubs.spawn([&] {
                             auto inner = hubs.spawn([] { return std::this_thread::get_id(); });
                             return std::pair(std::this_thread::get_id(), inner.get());
                         })
                         .get();
    EXPECT_EQ(ids.first, ids.second);
}

TEST_F(pooled, a_hub_that_is_not_there_is_refused) {
    hub_pool hubs({.hubs = 2, .name = "pair"});
    EXPECT_EQ(thrown_by([&] { hubs.spawn_on(2, [] {}); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { hubs.spawn_on(static_cast<std::size_t>(-1), [] {}); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { hubs.hub(2); }), "fiber_error");
    try {
        hubs.spawn_on(7, [] {});
    } catch (const coir::fiber_error& e) {
        EXPECT_STREQ(e.what(), "hub_pool \"pair\" has no hub 7: it has 2");
    }
}

TEST_F(pooled, never_runs_before_the_spawner_suspends_on_its_own_hub) {
    hub_pool hubs(1);
    hubs.spawn([&] {
            bool ran = false;
            auto inner = hubs.spawn([&] { ran = true; });
            EXPECT_FALSE(ran);
            inner.join();
            EXPECT_TRUE(ran);
        })
        .get();
}

// --- where tasks run

TEST_F(pooled, one_hub_takes_what_another_has_no_time_for) {
    hub_pool hubs(2);
    blocked_hub busy(hubs, 0);
    for (int i = 0; i < 100; ++i) {
        // Every second one is put on the blocked hub.
        EXPECT_NE(hubs.spawn([] { return std::this_thread::get_id(); }).get(), busy.thread());
    }
}

TEST_F(pooled, what_a_computing_task_has_spawned_is_taken_by_others) {
    hub_pool hubs(2);
    hubs.spawn_on(0,
                  [&] {
                      std::atomic<int> ran{0};
                      std::vector<coir::task<void>> tasks;
                      for (int i = 0; i < 50; ++i) tasks.push_back(hubs.spawn([&] { ++ran; }));
                      while (ran < 50) ::sched_yield();  // without ever suspending
                  })
        .get();
}

TEST_F(pooled, all_hubs_but_one_may_be_blocked) {
    hub_pool hubs(4);
    const blocked_hub a(hubs, 0), b(hubs, 1), c(hubs, 3);
    const auto free = hubs.spawn_on(2, [] { return std::this_thread::get_id(); }).get();
    std::vector<coir::task<std::thread::id>> tasks;
    for (int i = 0; i < 400; ++i) tasks.push_back(hubs.spawn([] { return std::this_thread::get_id(); }));
    for (auto& t : tasks) EXPECT_EQ(t.get(), free);
}

TEST_F(pooled, a_pinned_task_waits_for_its_hub) {
    hub_pool hubs(3);
    auto busy = std::make_unique<blocked_hub>(hubs, 1);
    const auto thread = busy->thread();
    std::atomic<int> ran{0};
    std::vector<coir::task<std::thread::id>> pinned;
    for (int i = 0; i < 20; ++i) {
        pinned.push_back(hubs.spawn_on(1, [&] {
            ++ran;
            return std::this_thread::get_id();
        }));
    }
    // The other hubs go looking for work all the while.
    for (int i = 0; i < 1'000; ++i) hubs.spawn([] {}).join();
    EXPECT_EQ(ran, 0);
    busy.reset();
    for (auto& t : pinned) EXPECT_EQ(t.get(), thread);
}

TEST_F(pooled, a_started_fiber_never_moves) {
    hub_pool hubs(4);
    std::vector<coir::task<void>> tasks;
    coir::semaphore permits(3);
    for (int i = 0; i < 200 / (is_tsan ? 4 : 1); ++i) {
        tasks.push_back(hubs.spawn([&, i] {
            const auto thread = std::this_thread::get_id();
            for (int k = 0; k < 20; ++k) {
                if (k % 3 == 0) {
                    coir::this_fiber::sleep_for(std::chrono::microseconds(i % 7));
                } else if (k % 3 == 1) {
                    coir::this_fiber::yield();
                } else {
                    permits.acquire();
                    permits.release();
                }
                ASSERT_EQ(std::this_thread::get_id(), thread);
            }
        }));
    }
    for (auto& t : tasks) t.get();
}

TEST_F(pooled, what_coir_spawn_makes_in_it_stays_there) {
    hub_pool hubs(4);
    hubs.spawn_on(2,
                  [&] {
                      const auto thread = std::this_thread::get_id();
                      std::vector<coir::task<std::thread::id>> tasks;
                      for (int i = 0; i < 100; ++i)
                          tasks.push_back(coir::spawn([] { return std::this_thread::get_id(); }));
                      const auto until = std::chrono::steady_clock::now() + 5ms;
                      while (std::chrono::steady_clock::now() < until) ::sched_yield();
                      for (auto& t : tasks) EXPECT_EQ(t.get(), thread);
                  })
        .get();
}

TEST_F(pooled, an_idle_hub_is_woken_every_time) {
    hub_pool hubs(4);
    for (int i = 0; i < 20'000 / share; ++i) {
        ASSERT_TRUE(hubs.spawn([] {}).join_for(60s)) << i;
        ASSERT_TRUE(hubs.spawn_on(static_cast<std::size_t>(i % 4), [] {}).join_for(60s)) << i;
    }
}

TEST_F(pooled, tasks_are_spawned_by_many_threads_at_once) {
    hub_pool hubs(3);
    std::atomic<int> ran{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            std::vector<coir::task<void>> tasks;
            for (int k = 0; k < 10'000 / share; ++k) {
                tasks.push_back(hubs.spawn([&] {
                    ++ran;
                    coir::this_fiber::yield();
                }));
                if (tasks.size() == 100) {
                    for (auto& t : tasks) t.join();
                    tasks.clear();
                }
            }
            for (auto& t : tasks) t.join();
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(ran, 4 * (10'000 / share));
}

TEST_F(pooled, tasks_that_spawn_tasks_that_spawn_tasks) {
    hub_pool hubs(4);
    std::atomic<int> leaves{0};
    std::function<void(int)> grow = [&](int depth) {
        if (depth == 0) {
            ++leaves;
            return;
        }
        auto left = hubs.spawn(grow, depth - 1);
        auto right = hubs.spawn(grow, depth - 1);
        left.join();
        right.join();
    };
    const int depth = share == 1 ? 12 : 8;
    hubs.spawn(grow, depth).get();
    EXPECT_EQ(leaves, 1 << depth);
}

// --- what is no deadlock, and what is one

TEST_F(pooled, idling_is_no_deadlock_and_says_nothing) {
    testing::internal::CaptureStderr();
    {
        hub_pool hubs(3);
        hubs.spawn([] {}).join();
        std::this_thread::sleep_for(3s);  // as a main() does that knows nothing of coir; 2 s is when a hub would say it
        EXPECT_EQ(hubs.spawn([] { return 1; }).get(), 1);
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(pooled, waiting_for_work_that_takes_long_is_no_deadlock_and_says_nothing) {
    testing::internal::CaptureStderr();
    {
        hub_pool hubs(3);
        auto t = hubs.spawn([] {
            const auto end = std::chrono::steady_clock::now() + 3s;
            while (std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
            return 1;
        });
        EXPECT_EQ(thrown_by([&] { EXPECT_EQ(t.get(), 1); }), "");
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(pooled, a_busy_one_is_never_taken_for_stuck) {
    testing::internal::CaptureStderr();
    {
        hub_pool hubs(4);
        const coir::deadline end = coir::deadline::after(2500ms);
        coir::channel<int> ping, pong;
        auto other = hubs.spawn_on(1, [&] {
            for (int n : ping) pong.send(n);
        });
        EXPECT_EQ(thrown_by([&] {
                      while (!end.expired()) {
                          ping.send(1);
                          pong.recv();
                      }
                  }),
                  "");
        ping.close();
        other.join();
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
