#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::yield;
using mutex = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

/// It is free: can be locked without waiting.
void expect_free(coir::mutex& m) {
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

TEST_F(mutex, excludes_while_its_holder_suspends) {
    coir::mutex m;
    int inside = 0, most = 0;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 20; ++i) {
        tasks.push_back(coir::spawn([&] {
            const std::lock_guard guard(m);
            most = std::max(most, ++inside);
            yield();
            --inside;
        }));
    }
    for (auto& t : tasks) t.get();
    EXPECT_EQ(most, 1);
    expect_free(m);
}

TEST_F(mutex, goes_to_the_first_who_came_and_is_not_barged) {
    coir::mutex m;
    m.lock();
    std::string order;
    std::vector<coir::task<void>> tasks;
    for (char c = 'a'; c <= 'e'; ++c) {
        tasks.push_back(coir::spawn([&, c] {
            m.lock();
            order += c;
            m.unlock();
        }));
        until_parked(tasks.back());
    }
    m.unlock();
    EXPECT_FALSE(m.try_lock()) << "it has been handed to the first";
    for (auto& t : tasks) t.get();
    EXPECT_EQ(order, "abcde");
    expect_free(m);
}

TEST_F(mutex, meets_the_standard_concepts) {
    coir::mutex a, b;
    { const std::scoped_lock both(a, b); }
    std::unique_lock lock(a, std::try_to_lock);
    EXPECT_TRUE(lock.owns_lock());
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_for(1ms));
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_until(std::chrono::steady_clock::now()));
}

TEST_F(mutex, limits_are_never_early_and_leave_it_usable) {
    coir::mutex m;
    m.lock();
    coir::spawn([&] {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_FALSE(m.try_lock_for(3ms));
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
        EXPECT_FALSE(m.try_lock_for(-1s));
        EXPECT_FALSE(m.try_lock_until(std::chrono::system_clock::now()));
        EXPECT_FALSE(m.try_lock());
    }).get();
    m.unlock();
    expect_free(m);
}

TEST_F(mutex, a_cancelled_waiter_does_not_hold_it_and_nobody_is_passed_over) {
    coir::mutex m;
    m.lock();
    auto first = coir::spawn([&] { m.lock(); });
    auto second = coir::spawn([&] {
        const std::lock_guard guard(m);
        return 1;
    });
    until_parked(second);
    first.cancel();
    first.join();
    EXPECT_TRUE(first.was_cancelled());
    m.unlock();
    EXPECT_EQ(second.get(), 1);
    expect_free(m);
}

TEST_F(mutex, handed_over_and_cancelled_in_one_round_it_is_held) {
    coir::mutex m;
    m.lock();
    bool held = false;
    auto t = coir::spawn([&] {
        const std::lock_guard guard(m);
        held = true;
        yield();
        ADD_FAILURE();
    });
    until_parked(t);
    m.unlock();
    t.cancel();
    t.join();
    EXPECT_TRUE(held);
    expect_free(m);
}

TEST_F(mutex, handed_over_in_the_round_of_the_limit_it_is_held) {
    coir::mutex m;
    m.lock();
    const auto end = coir::deadline::after(1ms);
    auto t = coir::spawn([&] {
        const bool got = m.try_lock_until(end);
        if (got) m.unlock();
        return got;
    });
    until_parked(t);
    while (!end.expired()) {
    }
    m.unlock();
    EXPECT_TRUE(t.get());
    expect_free(m);
}

TEST_F(mutex, misuse_is_told_and_changes_nothing) {
    coir::mutex m;
    EXPECT_EQ(thrown_by([&] { m.unlock(); }), "fiber_error") << "held by nobody";
    m.lock();
    EXPECT_EQ(thrown_by([&] { m.lock(); }), "fiber_error") << "held by oneself";
    EXPECT_EQ(thrown_by([&] { (void)m.try_lock_for(1h); }), "fiber_error");
    EXPECT_FALSE(m.try_lock());
    coir::spawn([&] { EXPECT_EQ(thrown_by([&] { m.unlock(); }), "fiber_error") << "held by another"; }).get();
    m.unlock();
    expect_free(m);
}

TEST_F(mutex, a_fiber_that_ends_its_wait_by_fiber_exit_passes_it_on) {
    coir::mutex m;
    m.lock();
    coir::fiber f([&] { m.lock(); });
    auto caller = coir::spawn([&] { f.switch_to(); });
    auto next = coir::spawn([&] { const std::lock_guard guard(m); });
    until_parked(next);
    f = {};
    caller.join();
    m.unlock();
    next.get();
    expect_free(m);
}

TEST_F(mutex, counts_exactly_between_hubs_and_plain_threads) {
    coir::mutex m;
    long count = 0;
    constexpr int each = 5'000;
    const auto add = [&] {
        for (int i = 0; i < each; ++i) {
            const std::lock_guard guard(m);
            ++count;
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back(add);
        threads.emplace_back([&] {
            auto a = coir::spawn(add);
            auto b = coir::spawn(add);
            a.get();
            b.get();
        });
    }
    auto here = coir::spawn(add);
    here.get();
    for (auto& t : threads) t.join();
    EXPECT_EQ(count, 7L * each);
    expect_free(m);
}

TEST_F(mutex, random_limits_and_cancellations_lose_no_lock) {
    coir::mutex m;
    std::atomic<int> inside{0};
    const auto work = [&](unsigned seed) {
        std::mt19937 random(seed);
        for (int i = 0; i < 1'000; ++i) {
            try {
                if (random() % 2) {
                    m.lock();
                } else if (!m.try_lock_for(std::chrono::microseconds(random() % 30))) {
                    continue;
                }
            } catch (const coir::cancelled&) {
                continue;
            }
            EXPECT_EQ(++inside, 1);
            thrown_by([&] {
                if (random() % 4 == 0) yield();
            });
            --inside;
            m.unlock();
        }
    };
    const auto hub_thread = [&](unsigned seed) {
        std::vector<coir::task<void>> tasks;
        for (unsigned i = 0; i < 4; ++i) tasks.push_back(coir::spawn(work, seed + i));
        yield();
        std::mt19937 random(seed);
        while (!tasks[0].done() || !tasks[1].done()) {
            tasks[random() % 4].cancel();
            coir::this_fiber::sleep_for(20us);
        }
        for (auto& t : tasks) t.join();
    };
    std::thread other(hub_thread, 100);
    hub_thread(1);
    other.join();
    expect_free(m);
}

TEST_F(mutex, may_be_destroyed_by_its_last_user) {
    struct shared {
        coir::mutex m;
        int users = 3;
    };
    constexpr int rounds = 3'000;
    std::vector<shared*> objects;
    for (int i = 0; i < rounds; ++i) objects.push_back(new shared);
    std::atomic<int> arrived[rounds] = {};
    const auto use_all = [&] {
        for (int i = 0; i < rounds; ++i) {
            ++arrived[i];
            while (arrived[i] < 3) ::sched_yield();
            shared* s = objects[static_cast<std::size_t>(i)];
            s->m.lock();
            const bool is_last = --s->users == 0;
            s->m.unlock();
            if (is_last) delete s;
        }
    };
    std::thread plain(use_all), with_hub([&] { coir::spawn(use_all).get(); });
    use_all();
    plain.join();
    with_hub.join();
}

TEST_F(mutex, a_chain_of_thousands_of_waiters) {
    constexpr int length = task_tests::multitude / 10;
    coir::mutex m;
    m.lock();
    int count = 0;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < length; ++i) {
        tasks.push_back(coir::spawn({.stack_size = 16384}, [&] {
            const std::lock_guard guard(m);
            ++count;
        }));
    }
    until_parked(tasks.back());
    m.unlock();
    for (auto& t : tasks) t.get();
    EXPECT_EQ(count, length);
}

}  // namespace
