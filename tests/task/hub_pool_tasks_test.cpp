// Waits, errors, groups and cancellation between the hubs of a pool.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/hub_pool_test.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace hub_pool_tests;
using coir::hub_pool;
using task_tests::thrown_by;

// --- across hubs

TEST_F(pooled, errors_come_out_of_get) {
    hub_pool hubs({.hubs = 2, .on_unhandled = [](std::string_view, std::exception_ptr) { ADD_FAILURE(); }});
    for (int i = 0; i < 200; ++i) {
        auto t = hubs.spawn([i] {
            if (i % 2) coir::this_fiber::yield();
            throw std::runtime_error("no " + std::to_string(i));
        });
        EXPECT_EQ(thrown_by([&] { t.get(); }), "no " + std::to_string(i));
    }
    EXPECT_EQ(thrown_by([&] { hubs.spawn([] { throw coir::deadlock("mine"); }).get(); }), "deadlock");
}

TEST_F(pooled, an_error_that_nobody_gets_is_told_once_by_name) {
    std::mutex mutex;
    std::multiset<std::string> told;
    {
        hub_pool hubs({.hubs = 3, .on_unhandled = [&](std::string_view name, std::exception_ptr e) {
                           const std::lock_guard guard(mutex);
                           told.insert(std::string(name) + ": " + thrown_by([&] { std::rethrow_exception(e); }));
                       }});
        for (int i = 0; i < 30; ++i) {
            hubs.spawn({.name = "loser " + std::to_string(i)}, [] { throw std::runtime_error("lost"); });
        }
        hubs.hub(1).post([] { throw std::runtime_error("posted"); });
        const auto count = [&] {
            const std::lock_guard guard(mutex);
            return told.size();
        };
        while (count() < 31) coir::this_fiber::yield();
    }
    EXPECT_EQ(told.size(), 31u);
    for (int i = 0; i < 30; ++i) EXPECT_EQ(told.count("loser " + std::to_string(i) + ": lost"), 1u);
}

TEST_F(pooled, a_handler_that_throws_ends_nothing) {
    testing::internal::CaptureStderr();
    {
        hub_pool hubs({.hubs = 1, .on_unhandled = [](std::string_view, std::exception_ptr) { throw 1; }});
        hubs.spawn({.name = "loser"}, [] { throw std::runtime_error("lost"); });
        EXPECT_EQ(hubs.spawn([] { return 1; }).get(), 1);
    }
    EXPECT_NE(testing::internal::GetCapturedStderr().find("\"loser\": lost"), std::string::npos);
}

TEST_F(pooled, joins_futures_and_channels_work_between_hubs) {
    hub_pool hubs(4);
    coir::channel<int> stage_1(4), stage_2;
    coir::promise<int> total;
    auto future = total.get_future();
    auto square = hubs.spawn_on(1, [&] {
        for (int n : stage_1) stage_2.send(n * n);
        stage_2.close();
    });
    auto sum = hubs.spawn_on(2, [&] {
        int all = 0;
        for (int n : stage_2) all += n;
        total.set_value(all);
    });
    auto reader = hubs.spawn_on(3, [&] { return future.get(); });
    for (int i = 0; i < 1'000; ++i) stage_1.send(i);
    stage_1.close();
    EXPECT_EQ(reader.get(), 332'833'500);
    coir::gather(square, sum);
}

TEST_F(pooled, a_group_of_one_hub_is_used_from_others) {
    hub_pool hubs(4);
    std::atomic<int> ran{0};
    coir::task_group group;
    std::vector<coir::task<void>> spawners;
    for (std::size_t i = 0; i < 4; ++i) {
        spawners.push_back(hubs.spawn_on(i, [&] {
            for (int k = 0; k < 100; ++k) {
                group.spawn([&] {
                    coir::this_fiber::yield();
                    ++ran;
                });
            }
        }));
    }
    for (auto& t : spawners) t.join();
    group.join();
    EXPECT_EQ(ran, 400);
}

TEST_F(pooled, the_first_failure_of_a_group_reaches_members_on_other_hubs) {
    hub_pool hubs(4);
    for (int round = 0; round < 50; ++round) {
        coir::event never;
        coir::task_group group;
        std::atomic<int> unwound{0};
        std::vector<coir::task<void>> spawners;
        for (std::size_t i = 0; i < 4; ++i) {
            spawners.push_back(hubs.spawn_on(i, [&] {
                group.spawn([&] {
                    try {
                        never.wait();
                    } catch (const coir::cancelled&) {
                        ++unwound;
                        throw;
                    }
                });
                coir::this_fiber::yield();
            }));
        }
        for (auto& t : spawners) t.join();
        hubs.spawn([&] { group.spawn([] { throw std::runtime_error("enough"); }); }).join();
        EXPECT_EQ(thrown_by([&] { group.join(); }), "enough");
        EXPECT_EQ(unwound, 4);
    }
}

TEST_F(pooled, limits_over_waits_for_tasks_of_other_hubs) {
    hub_pool hubs(2);
    coir::event never;
    auto t = hubs.spawn([&] { never.wait(); });
    EXPECT_EQ(thrown_by([&] { coir::wait_for(5ms, [&] { t.join(); }); }), "timed_out");
    EXPECT_FALSE(t.join_for(1ms));
    auto inside = hubs.spawn([] { coir::wait_for(2ms, [] { coir::this_fiber::sleep_for(1h); }); });
    EXPECT_EQ(thrown_by([&] { inside.get(); }), "timed_out");
    t.cancel();
    t.join();
}

TEST_F(pooled, plain_threads_wait_for_its_tasks) {
    hub_pool hubs(2);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int k = 0; k < 500 / share; ++k) ASSERT_EQ(hubs.spawn([=] { return i * k; }).get(), i * k);
        });
    }
    for (auto& t : threads) t.join();
}

/// Row T13: fibers made on one hub, ended and freed by others.
TEST_F(pooled, the_last_handle_is_dropped_anywhere) {
    hub_pool hubs(4);
    coir::channel<coir::task<int>> made(16);
    const int count = 100'000 / share;
    auto maker = hubs.spawn_on(0, [&] {
        for (int i = 0; i < count; ++i) made.send(hubs.spawn([i] { return i; }));
        made.close();
    });
    std::atomic<long> sum{0};
    std::vector<coir::task<void>> takers;
    for (std::size_t i = 1; i < 4; ++i) {
        takers.push_back(hubs.spawn_on(i, [&] {
            for (auto& t : made) sum += t.get();
        }));
    }
    coir::gather(maker);
    for (auto& t : takers) t.get();
    EXPECT_EQ(sum, static_cast<long>(count) * (count - 1) / 2);
}

TEST_F(pooled, an_explicit_fiber_of_one_hub_is_dropped_on_another) {
    hub_pool hubs(2);
    for (int i = 0; i < 200; ++i) {
        auto unwound = std::make_shared<std::atomic<bool>>(false);
        struct flag {
            std::shared_ptr<std::atomic<bool>> is_set;
            ~flag() { *is_set = true; }
        };
        coir::fiber f = hubs.spawn_on(0,
                                      [&] {
                                          coir::fiber made([unwound, back = coir::fiber::current()]() mutable {
                                              const flag at_end{unwound};
                                              back.switch_to();
                                          });
                                          made.switch_to();
                                          return made;
                                      })
                            .get();
        hubs.spawn_on(1, [f = std::move(f)]() mutable { f = {}; }).get();
        while (!*unwound) coir::this_fiber::yield();
    }
}

// --- cancellation

TEST_F(pooled, cancelled_on_another_hub) {
    hub_pool hubs(2);
    coir::event never;
    std::atomic<bool> waits{false};
    auto t = hubs.spawn([&] {
        waits = true;
        never.wait();
    });
    while (!waits) coir::this_fiber::yield();
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(thrown_by([&] { t.get(); }), "task_cancelled");
}

/// cancel() has returned long before its hub has the time to start it.
TEST_F(pooled, cancelled_before_it_could_start_it_never_runs) {
    hub_pool hubs(1);
    int ran = 0;
    for (int i = 0; i < 100; ++i) {
        coir::task<void> t;
        {
            const blocked_hub busy(hubs, 0);
            t = hubs.spawn([&] { ++ran; });
            t.cancel();
        }
        t.join();
        ASSERT_TRUE(t.was_cancelled());
    }
    EXPECT_EQ(ran, 0);
}

TEST_F(pooled, cancelled_before_it_could_start_a_pinned_one_never_runs) {
    hub_pool hubs(2);
    int ran = 0;
    for (int i = 0; i < 100; ++i) {
        coir::task<void> t;
        {
            const blocked_hub busy(hubs, 1);
            t = hubs.spawn_on(1, [&] { ++ran; });
            std::thread([&] { t.cancel(); }).join();
        }
        t.join();
        ASSERT_TRUE(t.was_cancelled());
    }
    EXPECT_EQ(ran, 0);
}

TEST_F(pooled, cancelled_by_its_own_hub_before_it_starts_it_never_runs) {
    hub_pool hubs(1);
    hubs.spawn([&] {
            for (int i = 0; i < 1'000; ++i) {
                bool ran = false;
                auto t = hubs.spawn([&] { ran = true; });
                t.cancel();
                t.join();
                ASSERT_FALSE(ran);
                ASSERT_TRUE(t.was_cancelled());
            }
        })
        .get();
}

/// Row C4. Whether it has run is open, as the two are simultaneous; that it ends, once, and says how, is not.
TEST_F(pooled, spawned_cancelled_and_joined_by_several_threads) {
    hub_pool hubs(3);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 25'000 / share; ++k) {
                std::atomic<int> ran{0};
                auto t = hubs.spawn([&] { ++ran; });
                t.cancel();
                t.join();
                ASSERT_LE(ran, 1);
                ASSERT_EQ(t.was_cancelled(), ran == 0);
            }
        });
    }
    for (auto& t : threads) t.join();
}

TEST_F(pooled, cancelled_while_it_is_being_taken_by_another_hub) {
    hub_pool hubs(4);
    std::atomic<int> ran{0}, cancelled{0};
    std::vector<std::thread> threads;
    const int count = 5'000 / share;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < count; ++k) {
                std::array<coir::task<void>, 8> tasks;
                for (auto& t : tasks) {
                    t = hubs.spawn([&] {
                        coir::this_fiber::yield();
                        ++ran;
                    });
                }
                for (auto& t : tasks) t.cancel();
                for (auto& t : tasks) {
                    t.join();
                    if (t.was_cancelled()) ++cancelled;
                }
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(ran + cancelled, 2 * 8 * count);
}

TEST_F(pooled, the_function_of_a_cancelled_task_is_destroyed) {
    auto owned = std::make_shared<int>(1);
    hub_pool hubs(2);
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(hubs.spawn([owned] {}));
        tasks.back().cancel();
    }
    for (auto& t : tasks) t.join();
    EXPECT_EQ(owned.use_count(), 1);
}

}  // namespace
