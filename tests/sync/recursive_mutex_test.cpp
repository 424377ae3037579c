#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <mutex>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

bool is_free_for_others(coir::recursive_mutex& m) {
    return coir::spawn([&] {
               if (!m.try_lock()) return false;
               m.unlock();
               return true;
           })
        .get();
}

COIR_TEST(recursive_mutex, is_free_again_after_as_many_unlocks_as_locks) {
    coir::recursive_mutex m;
    m.lock();
    EXPECT_TRUE(m.try_lock());
    EXPECT_TRUE(m.try_lock_for(0s));
    EXPECT_TRUE(m.try_lock_until(std::chrono::steady_clock::now()));
    for (int i = 0; i < 4; ++i) {
        EXPECT_FALSE(is_free_for_others(m)) << i;
        m.unlock();
    }
    EXPECT_TRUE(is_free_for_others(m));
}

/// With the standard's, which belongs to the thread, both would be inside.
COIR_TEST(recursive_mutex, two_fibers_of_one_thread_are_never_both_inside) {
    coir::recursive_mutex m;
    int inside = 0, most = 0;
    tasks all;
    for (int i = 0; i < 10; ++i) {
        all.push_back(coir::spawn([&] {
            const std::lock_guard outer(m);
            most = std::max(most, ++inside);
            yield();
            {
                const std::lock_guard inner(m);
                yield();
            }
            EXPECT_EQ(inside, 1);
            --inside;
        }));
    }
    get_all(all);
    EXPECT_EQ(most, 1);
    EXPECT_TRUE(is_free_for_others(m));
}

COIR_TEST(recursive_mutex, goes_to_the_first_who_came) {
    coir::recursive_mutex m;
    m.lock();
    m.lock();
    std::string order;
    tasks all = line_up(5, [&](int i) {
        m.lock();
        m.lock();
        order += static_cast<char>('a' + i);
        m.unlock();
        yield();
        m.unlock();
    });
    m.unlock();
    run_until_parked();
    EXPECT_EQ(order, "");
    m.unlock();
    get_all(all);
    EXPECT_EQ(order, "abcde");
}

COIR_TEST(recursive_mutex, a_limit_or_a_cancellation_takes_nothing_and_nobody_is_passed_over) {
    const virtual_clock clock;
    coir::recursive_mutex m;
    m.lock();
    bool in_time = true;
    tasks all = line_up(3, [&](int i) {
        if (i == 0) {
            in_time = m.try_lock_for(3ms);
        } else {
            const std::lock_guard guard(m);
        }
    });
    all[1].cancel();
    all[0].get();
    EXPECT_FALSE(in_time);
    EXPECT_EQ(clock.elapsed(), 3ms);
    m.unlock();
    all[2].get();
    EXPECT_TRUE(all[1].was_cancelled());
    EXPECT_TRUE(is_free_for_others(m));
}

COIR_TEST(recursive_mutex, handed_over_and_cancelled_in_one_round_it_is_held_once) {
    coir::recursive_mutex m;
    m.lock();
    auto t = coir::spawn([&] {
        const std::lock_guard guard(m);
        yield();
        ADD_FAILURE();
    });
    until_parked(t);
    m.unlock();
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_TRUE(is_free_for_others(m));
}

COIR_TEST(recursive_mutex, misuse_is_told_by_name_and_changes_nothing) {
    coir::recursive_mutex m;
    EXPECT_EQ(misuse_in("eve", [&] { m.unlock(); }), "fiber \"eve\" unlocks a mutex that it does not hold");
    m.lock();
    m.lock();
    EXPECT_NE(misuse_in("eve", [&] { m.unlock(); }), "");
    EXPECT_EQ(thrown_when_posted([&] { m.lock(); }), "fiber_error");
    m.unlock();
    EXPECT_FALSE(is_free_for_others(m));
    m.unlock();
    EXPECT_TRUE(is_free_for_others(m));
    EXPECT_EQ(thrown_by([&] { m.unlock(); }), "fiber_error");
    EXPECT_TRUE(is_free_for_others(m));
}

/// As the standard says: wait gives up one level, so that is all there may be.
COIR_TEST(recursive_mutex, works_with_a_condition_variable_at_depth_one) {
    coir::recursive_mutex m;
    coir::condition_variable changed;
    bool ready = false;
    auto t = coir::spawn([&] {
        std::unique_lock lock(m);
        changed.wait(lock, [&] { return ready; });
        m.lock();
        m.unlock();
    });
    until_parked(t);
    {
        const std::lock_guard guard(m);
        const std::lock_guard again(m);
        ready = true;
        changed.notify_one();
    }
    t.get();
    EXPECT_TRUE(is_free_for_others(m));
}

}  // namespace
