#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

/// It is free: can be locked without waiting.
void expect_free(coir::mutex& m) {
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

COIR_TEST(mutex, excludes_while_its_holder_suspends) {
    coir::mutex m;
    int inside = 0, most = 0;
    tasks all;
    for (int i = 0; i < 20; ++i) {
        all.push_back(coir::spawn([&] {
            const std::lock_guard guard(m);
            most = std::max(most, ++inside);
            yield();
            --inside;
        }));
    }
    get_all(all);
    EXPECT_EQ(most, 1);
    expect_free(m);
}

COIR_TEST(mutex, goes_to_the_first_who_came_and_is_not_barged) {
    coir::mutex m;
    m.lock();
    std::string order;
    tasks all = line_up(5, [&](int i) {
        m.lock();
        order += static_cast<char>('a' + i);
        m.unlock();
    });
    m.unlock();
    EXPECT_FALSE(m.try_lock()) << "it has been handed to the first";
    get_all(all);
    EXPECT_EQ(order, "abcde");
    expect_free(m);
}

COIR_TEST(mutex, meets_the_standard_concepts) {
    coir::mutex a, b;
    { const std::scoped_lock both(a, b); }
    std::unique_lock lock(a, std::try_to_lock);
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_TRUE(a.is_mine());
    lock.unlock();
    EXPECT_FALSE(a.is_mine());
    EXPECT_TRUE(lock.try_lock_for(1ms));
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_until(std::chrono::steady_clock::now()));
}

/// std::lock backs off instead of deadlocking; handed over from one to the other, they must not dance for ever either.
COIR_TEST(mutex, two_locked_in_opposite_orders_by_scoped_lock_neither_deadlock_nor_livelock) {
    coir::mutex a, b;
    int count = 0;
    coir::task_group group;
    for (int i = 0; i < 6; ++i) {
        group.spawn([&, i] {
            const std::scoped_lock both(i % 2 ? a : b, i % 2 ? b : a);
            const int before = count;
            yield();
            count = before + 1;
        });
    }
    group.join();
    EXPECT_EQ(count, 6);
}

COIR_TEST(mutex, limits_are_never_early_and_leave_it_usable) {
    coir::mutex m;
    m.lock();
    coir::spawn([&] {
        const virtual_clock clock;
        EXPECT_FALSE(m.try_lock_for(3ms));
        EXPECT_EQ(clock.elapsed(), 3ms);
        EXPECT_FALSE(m.try_lock_for(-1s));
        EXPECT_FALSE(m.try_lock_until(std::chrono::system_clock::now() - 1s));
        EXPECT_FALSE(m.try_lock());
    }).get();
    m.unlock();
    expect_free(m);
}

COIR_TEST(mutex, a_cancelled_waiter_does_not_hold_it_and_nobody_is_passed_over) {
    coir::mutex m;
    m.lock();
    int held = 0;
    tasks all = line_up(3, [&](int) {
        const std::lock_guard guard(m);
        ++held;
    });
    all[0].cancel();
    all[0].join();
    EXPECT_TRUE(all[0].was_cancelled());
    m.unlock();
    all[1].get();
    all[2].get();
    EXPECT_EQ(held, 2);
    expect_free(m);
}

COIR_TEST(mutex, one_that_times_out_does_not_hold_it_and_nobody_is_passed_over) {
    const virtual_clock clock;
    coir::mutex m;
    m.lock();
    std::string outcome;
    tasks all = line_up(4, [&](int i) {
        if (i == 0) {
            outcome += m.try_lock_for(1ms) ? "wrong " : "limit ";
        } else if (i == 1) {
            outcome += thrown_by([&] { coir::wait_for(2ms, [&] { m.lock(); }); }) + " ";
        } else {
            const std::lock_guard guard(m);
            outcome += "held ";
        }
    });
    coir::this_fiber::sleep_for(3ms);
    m.unlock();
    get_all(all);
    EXPECT_EQ(outcome, "limit timed_out held held ");
    expect_free(m);
}

COIR_TEST(mutex, handed_over_and_cancelled_in_one_round_it_is_held) {
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

/// The lock guard of who is cancelled inside hands it on.
COIR_TEST(mutex, handed_over_and_cancelled_in_one_round_it_goes_on_to_the_next) {
    coir::mutex m;
    m.lock();
    std::string order;
    tasks all = line_up(5, [&](int i) {
        const std::lock_guard guard(m);
        order += static_cast<char>('a' + i);
        yield();
        order += static_cast<char>('A' + i);
    });
    m.unlock();
    all[0].cancel();
    all[1].cancel();
    for (auto& t : all) t.join();
    EXPECT_EQ(order, "acCdDeE");
    expect_free(m);
}

COIR_TEST(mutex, handed_over_in_the_round_of_the_limit_it_is_held) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::mutex m;
    m.lock();
    auto t = coir::spawn([&] {
        const bool got = m.try_lock_for(1ms);
        if (got) m.unlock();
        return got;
    });
    until_parked(t);
    clock.advance(1ms);
    m.unlock();
    EXPECT_TRUE(t.get());
    expect_free(m);
}

COIR_TEST(mutex, misuse_is_told_by_name_and_changes_nothing) {
    coir::mutex m;
    EXPECT_EQ(misuse_in("eve", [&] { m.unlock(); }), "fiber \"eve\" unlocks a mutex that it does not hold");
    m.lock();
    EXPECT_EQ(text_of<coir::fiber_error>([&] { m.lock(); }), "fiber \"test\" locks a mutex that it holds already");
    EXPECT_EQ(thrown_by([&] { (void)m.try_lock_for(1h); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { (void)m.try_lock_until(coir::deadline::never()); }), "fiber_error");
    EXPECT_FALSE(m.try_lock());
    EXPECT_TRUE(m.is_mine());
    EXPECT_NE(misuse_in("eve", [&] { m.unlock(); }), "");
    EXPECT_TRUE(m.is_mine());
    EXPECT_NE(misuse_in("eve", [&] { m.unlock(); }), "");
    m.unlock();
    EXPECT_EQ(thrown_by([&] { m.unlock(); }), "fiber_error");
    expect_free(m);
}

/// Neither does misuse while somebody waits.
COIR_TEST(mutex, misuse_under_contention_changes_nothing) {
    coir::mutex m;
    m.lock();
    tasks all = line_up(2, [&](int) { const std::lock_guard guard(m); });
    EXPECT_EQ(thrown_by([&] { m.lock(); }), "fiber_error");
    EXPECT_NE(misuse_in("eve", [&] { m.unlock(); }), "");
    EXPECT_EQ(thrown_when_posted([&] { m.lock(); }), "fiber_error") << "a posted function may not suspend";
    EXPECT_EQ(thrown_when_posted([&] { m.unlock(); }), "fiber_error");
    run_until_parked();
    EXPECT_EQ(count_done(all), 0u);
    m.unlock();
    get_all(all);
    expect_free(m);
}

COIR_TEST(mutex, a_fiber_that_ends_its_wait_by_fiber_exit_passes_it_on) {
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

/// A task that is cancelled while it holds the lock, and waits for another one, gives back what it holds.
COIR_TEST(mutex, cancelled_while_it_holds_one_and_waits_for_another) {
    coir::mutex held, wanted;
    wanted.lock();
    auto t = coir::spawn([&] {
        const std::lock_guard first(held);
        const std::lock_guard second(wanted);
    });
    until_parked(t);
    t.cancel();
    t.join();
    expect_free(held);
    wanted.unlock();
    expect_free(wanted);
}

/// Fifty fibers, cancelled and timed out at random: at most one is inside, and never do all wait for a free one.
COIR_TEST(mutex, fifty_fibers_with_random_limits_and_cancellations_lose_no_lock) {
    const virtual_clock clock;
    coir::mutex m;
    int inside = 0;
    std::mt19937 random = dice();
    const auto turn = [&] {
        switch (random() % 3) {
            case 0:
                if (!m.try_lock_for(std::chrono::microseconds(random() % 30))) return;
                break;
            case 1:
                if (thrown_by([&] { coir::wait_for(std::chrono::microseconds(random() % 30), [&] { m.lock(); }); }) !=
                    "") {
                    return;
                }
                break;
            default:
                m.lock();
        }
        EXPECT_EQ(++inside, 1);
        thrown_by([&] {
            if (random() % 2) coir::this_fiber::sleep_for(std::chrono::microseconds(random() % 10));
        });
        --inside;
        m.unlock();
    };
    tasks all;
    for (int i = 0; i < 50; ++i) {
        all.push_back(coir::spawn([&] {
            for (int round = 0; round < 3; ++round) thrown_by(turn);
        }));
    }
    for (int i = 0; i < 50; ++i) {
        all[random() % all.size()].cancel();
        coir::this_fiber::sleep_for(5us);
    }
    for (auto& t : all) t.join();
    expect_free(m);
}

}  // namespace
