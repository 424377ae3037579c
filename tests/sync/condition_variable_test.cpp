#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

struct room {
    coir::mutex m;
    coir::condition_variable changed;
    int woken = 0;

    tasks waiters(int count) {
        return line_up(count, [this](int) {
            std::unique_lock lock(m);
            changed.wait(lock);
            EXPECT_TRUE(m.is_mine());
            ++woken;
        });
    }
    bool is_free() {
        if (!m.try_lock()) return false;
        m.unlock();
        return true;
    }
};

COIR_TEST(condition_variable, gives_the_lock_up_while_it_waits_and_has_it_again_afterwards) {
    room r;
    tasks all = r.waiters(3);
    EXPECT_TRUE(r.is_free());
    r.changed.notify_all();
    get_all(all);
    EXPECT_EQ(r.woken, 3);
    EXPECT_TRUE(r.is_free());
}

COIR_TEST(condition_variable, notify_one_wakes_one_and_only_one) {
    room r;
    r.changed.notify_one();  // nobody waits: it is not kept
    tasks all = r.waiters(5);
    for (int i = 1; i <= 5; ++i) {
        r.changed.notify_one();
        run_until_parked();
        EXPECT_EQ(r.woken, i) << "and none woke by itself";
    }
    get_all(all);
}

COIR_TEST(condition_variable, wakes_in_the_order_in_which_they_came) {
    coir::mutex m;
    coir::condition_variable changed;
    std::string order;
    tasks all = line_up(5, [&](int i) {
        std::unique_lock lock(m);
        changed.wait(lock);
        order += static_cast<char>('a' + i);
    });
    for (int i = 0; i < 5; ++i) {
        changed.notify_one();
        run_until_parked();
    }
    get_all(all);
    EXPECT_EQ(order, "abcde");
}

COIR_TEST(condition_variable, notified_with_the_lock_held_or_without_it) {
    room r;
    tasks all = r.waiters(2);
    {
        const std::lock_guard guard(r.m);
        r.changed.notify_one();
        run_until_parked();
        EXPECT_EQ(r.woken, 0) << "the lock is still held here";
    }
    run_until_parked();
    EXPECT_EQ(r.woken, 1);
    r.changed.notify_one();
    get_all(all);
}

COIR_TEST(condition_variable, a_predicate_is_looked_at_under_the_lock_and_until_it_is_true) {
    coir::mutex m;
    coir::condition_variable changed;
    int level = 0, looks = 0;
    auto t = coir::spawn([&] {
        std::unique_lock lock(m);
        changed.wait(lock, [&] {
            EXPECT_TRUE(m.is_mine());
            ++looks;
            return level == 3;
        });
        EXPECT_EQ(level, 3);
    });
    until_parked(t);
    for (int i = 1; i <= 3; ++i) {
        {
            const std::lock_guard guard(m);
            level = i;
        }
        changed.notify_all();
        run_until_parked();
        EXPECT_EQ(looks, i + 1);
    }
    t.get();
    std::unique_lock lock(m);
    changed.wait(lock, [] { return true; });  // does not wait
}

COIR_TEST(condition_variable, limits_are_never_early_and_the_lock_is_held_after_them) {
    const virtual_clock clock;
    room r;
    std::unique_lock lock(r.m);
    EXPECT_EQ(r.changed.wait_for(lock, 3ms), std::cv_status::timeout);
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_TRUE(r.m.is_mine());
    EXPECT_EQ(r.changed.wait_until(lock, coir::deadline::after(0s)), std::cv_status::timeout);
    EXPECT_EQ(r.changed.wait_until(lock, std::chrono::system_clock::now() - 1s), std::cv_status::timeout);
    EXPECT_FALSE(r.changed.wait_for(lock, 2ms, [] { return false; }));
    EXPECT_EQ(clock.elapsed(), 5ms);
    EXPECT_TRUE(r.changed.wait_until(lock, std::chrono::steady_clock::now(), [] { return true; }));
    int looks = 0;
    EXPECT_TRUE(r.changed.wait_for(lock, 1ms, [&] { return looks++ == 1; })) << "true when the time is over";
    EXPECT_TRUE(lock.owns_lock() && r.m.is_mine());
}

COIR_TEST(condition_variable, cancelled_it_throws_with_the_lock_held) {
    room r;
    bool was_mine = false;
    auto t = coir::spawn([&] {
        std::unique_lock lock(r.m);
        EXPECT_EQ(thrown_by([&] { r.changed.wait(lock); }), "cancelled");
        was_mine = lock.owns_lock() && r.m.is_mine();
    });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(was_mine);
    EXPECT_TRUE(r.is_free());
}

COIR_TEST(condition_variable, a_timeout_scope_throws_with_the_lock_held) {
    const virtual_clock clock;
    room r;
    std::unique_lock lock(r.m);
    EXPECT_EQ(thrown_by([&] { coir::wait_for(3ms, [&] { r.changed.wait(lock); }); }), "timed_out");
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_TRUE(r.m.is_mine());
}

/// The lock is somebody else's when the cancellation comes: the throw waits for it, uninterruptibly.
COIR_TEST(condition_variable, cancelled_while_another_holds_the_lock_it_waits_for_it_first) {
    room r;
    std::string order;
    auto t = coir::spawn([&] {
        std::unique_lock lock(r.m);
        order += thrown_by([&] { r.changed.wait(lock); });
        EXPECT_TRUE(r.m.is_mine());
    });
    until_parked(t);
    r.m.lock();
    t.cancel();
    run_until_parked();
    t.cancel();  // again, into the relock
    run_until_parked();
    EXPECT_EQ(order, "");
    order += "unlocked ";
    r.m.unlock();
    t.join();
    EXPECT_EQ(order, "unlocked cancelled");
    EXPECT_TRUE(r.is_free());
}

/// A cancellation that comes during the relock is not lost either.
COIR_TEST(condition_variable, notified_and_cancelled_in_the_relock_it_returns_and_the_cancellation_comes_after_it) {
    room r;
    std::string order;
    auto t = coir::spawn([&] {
        std::unique_lock lock(r.m);
        r.changed.wait(lock);
        order += "returned ";
        order += thrown_by([] { yield(); });
    });
    until_parked(t);
    r.m.lock();
    r.changed.notify_one();
    run_until_parked();
    t.cancel();
    run_until_parked();
    r.m.unlock();
    t.join();
    EXPECT_EQ(order, "returned cancelled");
}

COIR_TEST(condition_variable, cancelled_and_notified_in_one_round_the_notification_goes_to_the_next) {
    room r;
    tasks all = r.waiters(3);
    all[0].cancel();
    r.changed.notify_one();
    run_until_parked();
    EXPECT_TRUE(all[0].was_cancelled());
    EXPECT_TRUE(all[1].done());
    EXPECT_FALSE(all[2].done());
    EXPECT_EQ(r.woken, 1) << "exactly one";
    r.changed.notify_one();
    get_all(all = {all[1], all[2]});
}

COIR_TEST(condition_variable, notified_and_cancelled_in_one_round_the_notification_counts) {
    room r;
    tasks all = r.waiters(2);
    r.changed.notify_one();
    all[0].cancel();
    run_until_parked();
    EXPECT_EQ(r.woken, 1);
    EXPECT_TRUE(all[0].done());
    EXPECT_FALSE(all[1].done());
    r.changed.notify_one();
    all[1].get();
}

COIR_TEST(condition_variable, notified_in_the_round_of_the_limit_it_counts_as_notified) {
    virtual_clock clock(virtual_clock::jumps::never);
    room r;
    auto t = coir::spawn([&] {
        std::unique_lock lock(r.m);
        return r.changed.wait_for(lock, 1ms);
    });
    until_parked(t);
    clock.advance(1ms);
    r.changed.notify_one();
    EXPECT_EQ(t.get(), std::cv_status::no_timeout);
}

COIR_TEST(condition_variable, a_bounded_buffer_of_producers_and_consumers_is_exact) {
    coir::mutex m;
    coir::condition_variable not_empty, not_full;
    int stored = 0, taken = 0;
    tasks all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(coir::spawn([&] {
            for (int n = 0; n < 10; ++n) {
                std::unique_lock lock(m);
                not_full.wait(lock, [&] { return stored < 2; });
                ++stored;
                not_empty.notify_one();
            }
        }));
        all.push_back(coir::spawn([&] {
            for (int n = 0; n < 10; ++n) {
                std::unique_lock lock(m);
                not_empty.wait(lock, [&] { return stored > 0; });
                --stored;
                ++taken;
                not_full.notify_one();
            }
        }));
    }
    get_all(all);
    EXPECT_EQ(taken, 40);
    EXPECT_EQ(stored, 0);
}

COIR_TEST(condition_variable, waiting_without_a_lock_is_told_and_changes_nothing) {
    room r;
    std::unique_lock<coir::mutex> none(r.m, std::defer_lock), nothing;
    EXPECT_EQ(thrown_by([&] { r.changed.wait(none); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { r.changed.wait(nothing); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { (void)r.changed.wait_for(none, 1h); }), "fiber_error");
    EXPECT_TRUE(r.is_free());
    tasks all = r.waiters(1);
    r.changed.notify_one();
    get_all(all);
}

COIR_TEST(condition_variable, waiting_with_a_lock_of_another_fiber_is_told_and_changes_nothing) {
    room r;
    std::unique_lock lock(r.m);
    EXPECT_NE(misuse_in("eve", [&] { r.changed.wait(lock); }), "");
    EXPECT_TRUE(lock.owns_lock() && r.m.is_mine());
    lock.unlock();
    tasks all = r.waiters(1);
    r.changed.notify_one();
    run_until_parked();
    EXPECT_EQ(r.woken, 1) << "eve does not stand in the queue";
    get_all(all);
}

COIR_TEST(condition_variable, a_posted_function_may_not_wait_and_keeps_its_lock) {
    room r;
    EXPECT_EQ(thrown_when_posted([&] {
                  std::unique_lock lock(r.m);
                  try {
                      r.changed.wait(lock);
                  } catch (...) {
                      EXPECT_TRUE(lock.owns_lock() && r.m.is_mine());
                      throw;
                  }
              }),
              "fiber_error");
    EXPECT_TRUE(r.is_free());
}

/// A pending cancellation is thrown before the lock is given up.
COIR_TEST(condition_variable, cancelled_before_it_waits_it_keeps_the_lock) {
    room r;
    coir::task<void> self;
    bool has_been_free = false;
    self = coir::spawn([&] {
        std::unique_lock lock(r.m);
        auto other = coir::spawn([&] {
            const std::lock_guard guard(r.m);
            has_been_free = true;
        });
        self.cancel();
        EXPECT_EQ(thrown_by([&] { r.changed.wait(lock); }), "cancelled");
        EXPECT_TRUE(r.m.is_mine());
        EXPECT_FALSE(has_been_free);
        lock.unlock();
        other.join();
    });
    self.join();
    EXPECT_TRUE(has_been_free);
}

}  // namespace
