// How a hub_pool ends: stop(), the destructor, and who is still there.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/hub_pool_test.hpp"

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace hub_pool_tests;
using coir::hub_pool;
using task_tests::thrown_by;
using task_tests::yield_times;

TEST_F(pooled, stop_refuses_new_tasks_and_says_who) {
    hub_pool hubs({.hubs = 2, .name = "mill"});
    EXPECT_TRUE(hubs.stop().empty());
    for (const auto& spawn : {std::function<void()>([&] { hubs.spawn({.name = "late"}, [] {}); }),
                              std::function<void()>([&] { hubs.spawn_on(1, {.name = "late"}, [] {}); })}) {
        try {
            spawn();
            ADD_FAILURE();
        } catch (const coir::fiber_error& e) {
            EXPECT_STREQ(e.what(), "hub_pool \"mill\" is stopped and takes no task \"late\"");
        }
    }
    EXPECT_FALSE(hubs.hub(0).post([] {}));
    EXPECT_TRUE(hubs.stop().empty()) << "again is nothing";
}

TEST_F(pooled, stop_cancels_what_runs_and_drops_what_has_not_started) {
    hub_pool hubs(2);
    coir::event never;
    std::atomic<int> unwound{0}, ran{0};
    std::vector<coir::task<void>> parked, queued;
    std::atomic<int> waiting{0};
    for (int i = 0; i < 100; ++i) {
        parked.push_back(hubs.spawn([&] {
            ++waiting;
            try {
                never.wait();
            } catch (const coir::cancelled&) {
                ++unwound;
                throw;
            }
        }));
    }
    while (waiting < 100) coir::this_fiber::yield();
    auto first = std::make_unique<blocked_hub>(hubs, 0);
    auto second = std::make_unique<blocked_hub>(hubs, 1);
    for (int i = 0; i < 100; ++i) {
        queued.push_back(i % 2 ? hubs.spawn([&] { ++ran; }) : hubs.spawn_on(0, [&] { ++ran; }));
    }
    auto stopper = coir::spawn([&] { return hubs.stop(1h); });
    task_tests::until_parked(stopper);
    first->release();
    second->release();
    EXPECT_TRUE(stopper.get().empty());
    EXPECT_EQ(unwound, 100);
    EXPECT_EQ(ran, 0) << "what has not started never runs";
    for (auto& t : parked) EXPECT_TRUE(t.was_cancelled());
    for (auto& t : queued) EXPECT_TRUE(t.was_cancelled());
}

TEST_F(pooled, a_goodbye_is_waited_for) {
    hub_pool hubs(2);
    std::atomic<bool> started{false}, said{false};
    auto t = hubs.spawn([&] {
        started = true;
        try {
            coir::this_fiber::sleep_for(1h);
        } catch (const coir::cancelled&) {
            const coir::shield mask;
            coir::this_fiber::sleep_for(20ms);
            said = true;
        }
    });
    while (!started) coir::this_fiber::yield();
    EXPECT_TRUE(hubs.stop(1h).empty());
    EXPECT_TRUE(said);
}

TEST_F(pooled, what_tasks_spawn_while_it_stops_is_cancelled_too) {
    hub_pool hubs(2);
    std::atomic<bool> started{false};
    std::atomic<int> refused{0};
    auto t = hubs.spawn([&] {
        started = true;
        try {
            coir::this_fiber::sleep_for(1h);
        } catch (const coir::cancelled&) {
            const coir::shield mask;
            try {
                hubs.spawn([] {});
            } catch (const coir::fiber_error&) {
                ++refused;
            }
            coir::spawn([] { coir::this_fiber::sleep_for(1h); });  // the hub's own still works
        }
    });
    while (!started) coir::this_fiber::yield();
    EXPECT_TRUE(hubs.stop(1h).empty());
    EXPECT_EQ(refused, 1);
}

TEST_F(pooled, the_names_of_those_that_had_not_ended) {
    std::mutex mutex;
    std::multiset<std::string> told;
    hub_pool hubs({.hubs = 2, .on_unhandled = [&](std::string_view name, std::exception_ptr) {
                       const std::lock_guard guard(mutex);
                       told.emplace(name);
                   }});
    std::atomic<int> started{0}, exits{0};
    const auto stubborn = [&] {
        ++started;
        for (int cancellations = 0; cancellations < 1;) {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
                try {
                    coir::this_fiber::sleep_for(1h);
                } catch (const coir::fiber_exit&) {
                    ++exits;
                    throw;
                }
            }
        }
    };
    auto a = hubs.spawn_on(0, {.name = "mule"}, stubborn);
    auto b = hubs.spawn_on(1, {.name = "ox"}, stubborn);
    auto meek = hubs.spawn({.name = "lamb"}, [&] {
        ++started;
        coir::this_fiber::sleep_for(1h);
    });
    while (started < 3) coir::this_fiber::yield();
    EXPECT_EQ(hubs.stop(20ms), (std::vector<std::string>{"mule", "ox"}));
    EXPECT_EQ(exits, 2) << "those get fiber_exit";
    EXPECT_TRUE(a.done() && b.done() && meek.done());
    EXPECT_TRUE(told.empty());
}

TEST_F(pooled, one_that_ends_by_nothing_is_reported) {
    std::mutex mutex;
    std::multiset<std::string> told;
    hub_pool hubs({.hubs = 1, .on_unhandled = [&](std::string_view name, std::exception_ptr) {
                       const std::lock_guard guard(mutex);
                       told.emplace(name);
                   }});
    std::atomic<bool> started{false};
    auto t = hubs.spawn({.name = "deaf"}, [&] {
        const coir::shield mask;
        started = true;
        coir::this_fiber::sleep_for(1h);
    });
    while (!started) coir::this_fiber::yield();
    EXPECT_EQ(hubs.stop(10ms), std::vector<std::string>{"deaf"});
    EXPECT_EQ(told, std::multiset<std::string>{"deaf"});
    EXPECT_TRUE(t.was_cancelled()) << "for its joiners it has ended";
}

TEST_F(pooled, a_stop_that_is_cancelled_goes_on_and_may_be_waited_for_again) {
    hub_pool hubs(2);
    std::atomic<bool> started{false};
    coir::event may_end;
    auto t = hubs.spawn({.name = "shielded"}, [&] {
        const coir::shield mask;
        started = true;
        may_end.wait();
    });
    while (!started) coir::this_fiber::yield();
    auto stopper = coir::spawn([&] { hubs.stop(1h); });
    task_tests::until_parked(stopper);
    stopper.cancel();
    stopper.join();
    EXPECT_TRUE(stopper.was_cancelled());
    EXPECT_EQ(thrown_by([&] { hubs.spawn([] {}); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { coir::wait_for(2ms, [&] { hubs.stop(); }); }), "timed_out");
    may_end.set();
    EXPECT_TRUE(hubs.stop().empty());
    EXPECT_TRUE(t.done());
}

TEST_F(pooled, stopped_by_several_at_once) {
    for (int round = 0; round < 20; ++round) {
        hub_pool hubs(2);
        auto t = hubs.spawn([] { coir::this_fiber::sleep_for(1h); });
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) threads.emplace_back([&] { hubs.stop(); });
        auto fiber = coir::spawn([&] { hubs.stop(); });
        hubs.stop();
        fiber.get();
        for (auto& thread : threads) thread.join();
        EXPECT_TRUE(t.done());
    }
}

TEST_F(pooled, stop_by_one_of_its_own_is_refused_and_nothing_changes) {
    hub_pool hubs(2);
    EXPECT_EQ(hubs.spawn([&] { return thrown_by([&] { hubs.stop(); }); }).get(), "fiber_error");
    EXPECT_EQ(hubs.spawn([&] { return coir::spawn([&] { return thrown_by([&] { hubs.stop(); }); }).get(); }).get(),
              "fiber_error");
    EXPECT_EQ(hubs.spawn([] { return 5; }).get(), 5);
}

TEST_F(pooled, one_pool_may_stop_another) {
    hub_pool outer(1);
    hub_pool inner(2);
    auto t = inner.spawn([] { coir::this_fiber::sleep_for(1h); });
    outer.spawn([&] { inner.stop(); }).get();
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(pooled, destroyed_with_work_left) {
    auto owned = std::make_shared<int>();
    for (int round = 0; round < 50; ++round) {
        coir::event never;
        hub_pool hubs(3);
        for (int i = 0; i < 30; ++i) {
            hubs.spawn([&, owned, i] {
                if (i % 3 == 0) never.wait();
                if (i % 3 == 1) coir::this_fiber::sleep_for(1h);
                for (int k = 0; k < 10; ++k) coir::this_fiber::yield();
            });
        }
        if (round % 2) yield_times(3);
    }
    EXPECT_EQ(owned.use_count(), 1);
}

/// Row T2.
TEST_F(pooled, a_thousand_that_wait_in_all_ways_are_unwound) {
    static std::atomic<int> alive;
    alive = 0;
    struct counted {
        counted() { ++alive; }
        ~counted() { --alive; }
    };
    coir::event never;
    coir::mutex held;
    held.lock();
    coir::channel<int> silent;
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    {
        hub_pool hubs(4);
        for (int i = 0; i < 1'000; ++i) {
            hubs.spawn([&, i] {
                const counted here;
                switch (i % 6) {
                    case 0:
                        return never.wait();
                    case 1:
                        return held.lock();
                    case 2:
                        return void(silent.recv());
                    case 3:
                        return coir::this_fiber::sleep_for(1h);
                    case 4:
                        return coir::wait_readable(fds[0]);
                    default:
                        coir::spawn([&] {
                            const counted inner;
                            never.wait();
                        }).join();
                }
            });
        }
        while (alive < 1'000) coir::this_fiber::yield();
    }
    EXPECT_EQ(alive, 0);
    held.unlock();
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(pooled, its_last_owner_may_be_one_of_its_tasks) {
    const int before = threads_alive();
    for (int round = 0; round < 50; ++round) {
        auto hubs = std::make_shared<hub_pool>(2);
        coir::event go;
        std::atomic<bool> gone{false};
        auto t = hubs->spawn([&, keep = hubs]() mutable {
            go.wait();
            keep.reset();
            gone = true;
        });
        auto other = hubs->spawn([] { coir::this_fiber::sleep_for(1h); });
        hubs.reset();
        go.set();
        t.join();
        EXPECT_TRUE(gone) << "it did not wait for itself";
        other.join();
        EXPECT_TRUE(other.was_cancelled());
    }
    until_threads_are(before);
}

TEST_F(pooled, its_last_owner_may_be_the_function_of_a_task_that_ends) {
    const int before = threads_alive();
    for (int round = 0; round < 50; ++round) {
        auto hubs = std::make_shared<hub_pool>(1);
        auto t = hubs->spawn([keep = hubs] {});
        hubs.reset();
        t.join();
    }
    until_threads_are(before);
}

TEST_F(pooled, made_and_destroyed_a_thousand_times) {
    const auto descriptors = task_tests::open_descriptors();
    const auto resident = [] {
        std::ifstream statm("/proc/self/statm");
        long size = 0, pages = 0;
        statm >> size >> pages;
        return pages * ::sysconf(_SC_PAGESIZE);
    };
    const auto round = [] {
        hub_pool hubs(2);
        auto t = hubs.spawn([&] { return hubs.spawn([] { return 1; }).get(); });
        EXPECT_EQ(t.get(), 1);
    };
    for (int i = 0; i < 100 / (share == 1 ? 1 : 10); ++i) round();
    const long before = resident();
    for (int i = 0; i < 1'000 / share; ++i) round();
    EXPECT_EQ(task_tests::open_descriptors(), descriptors);
    if (share == 1) {
        EXPECT_LT(resident() - before, 4 << 20);
    }
}

TEST_F(pooled, an_idle_one_is_destroyed_at_once) {
    for (int i = 0; i < 20; ++i) const hub_pool hubs(4);
}

/// Row T1.
TEST_F(pooled, posts_while_it_ends_reach_nobody_elses_descriptor) {
    std::atomic<bool> stop{false};
    std::atomic<long> taken{0}, refused{0};
    for (int round = 0; round < 60 / share + 5; ++round) {
        auto hubs = std::make_unique<hub_pool>(2);
        stop = false;
        std::vector<std::thread> posters;
        for (int i = 0; i < 3; ++i) {
            posters.emplace_back([&, target = hubs->hub(static_cast<std::size_t>(i % 2))] {
                while (!stop) target.post([] {}) ? ++taken : ++refused;
            });
        }
        hubs.reset();
        // Numbers that the hubs have closed are used again, and must stay untouched.
        std::vector<int> victims;
        for (int i = 0; i < 8; ++i) victims.push_back(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        ::sched_yield();
        stop = true;
        for (auto& p : posters) p.join();
        for (const int fd : victims) {
            std::uint64_t value;
            EXPECT_EQ(::read(fd, &value, sizeof value), -1) << "somebody has written to it";
            ::close(fd);
        }
    }
    EXPECT_GT(refused, 0);
}

TEST_F(pooled, spawns_while_it_ends_run_are_cancelled_or_are_refused) {
    for (int round = 0; round < 200 / share + 5; ++round) {
        std::atomic<int> ran{0}, cancelled{0}, refused{0};
        auto hubs = std::make_unique<hub_pool>(2);
        std::atomic<int> ready{0};
        constexpr int each = 200;
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i) {
            threads.emplace_back([&] {
                ++ready;
                for (int k = 0; k < each; ++k) {
                    try {
                        auto t = hubs->spawn([&] { ++ran; });
                        t.join();
                        if (t.was_cancelled()) ++cancelled;
                    } catch (const coir::fiber_error&) {
                        ++refused;
                    }
                }
            });
        }
        while (ready < 2) ::sched_yield();
        hubs->stop();
        for (auto& t : threads) t.join();
        EXPECT_EQ(ran + cancelled + refused, 2 * each);
    }
}

TEST_F(pooled, cancels_while_it_ends) {
    for (int round = 0; round < 100 / share + 5; ++round) {
        auto hubs = std::make_unique<hub_pool>(2);
        std::vector<coir::task<void>> tasks;
        for (int i = 0; i < 100; ++i) tasks.push_back(hubs->spawn([] { coir::this_fiber::sleep_for(1h); }));
        std::thread canceller([&] {
            for (auto& t : tasks) t.cancel();
        });
        hubs.reset();
        canceller.join();
        for (auto& t : tasks) EXPECT_TRUE(t.done());
    }
}

TEST_F(pooled, handles_outlive_it) {
    coir::task<int> ended, dropped;
    std::unique_ptr<coir::hub> hub;
    {
        hub_pool hubs(1);
        ended = hubs.spawn([] { return 4; });
        ended.join();
        hub = std::make_unique<coir::hub>(hubs.hub(0));
        dropped = hubs.spawn([] {
            coir::this_fiber::sleep_for(1h);
            return 5;
        });
    }
    EXPECT_EQ(ended.get(), 4);
    EXPECT_EQ(thrown_by([&] { dropped.get(); }), "task_cancelled");
    dropped.cancel();
    EXPECT_FALSE(hub->post([] {}));
}

}  // namespace
