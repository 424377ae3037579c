#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

COIR_TEST(semaphore, as_many_pass_as_there_are_permits) {
    coir::semaphore s(3);
    int inside = 0, most = 0;
    tasks all;
    for (int i = 0; i < 20; ++i) {
        all.push_back(coir::spawn([&] {
            s.acquire();
            most = std::max(most, ++inside);
            yield();
            --inside;
            s.release();
        }));
    }
    get_all(all);
    EXPECT_EQ(most, 3);
    EXPECT_EQ(s.available(), 3u);
}

COIR_TEST(semaphore, is_first_come_first_served) {
    coir::semaphore s;
    std::string order;
    tasks all = line_up(6, [&](int i) {
        s.acquire();
        order += static_cast<char>('a' + i);
        s.release();
    });
    s.release();
    EXPECT_EQ(s.available(), 0u) << "it has been handed to the first";
    EXPECT_FALSE(s.try_acquire());
    get_all(all);
    EXPECT_EQ(order, "abcdef");
    EXPECT_EQ(s.available(), 1u);
}

/// Who wants many is not starved by those who want few.
COIR_TEST(semaphore, one_that_wants_ten_among_those_who_want_one) {
    coir::semaphore s(10);
    int with_one = 0;
    bool has_ten = false, stop = false;
    tasks small;
    for (int i = 0; i < 10; ++i) {
        small.push_back(coir::spawn([&] {
            for (int round = 0; !stop && round < 10'000; ++round) {
                s.acquire();
                ++with_one;
                yield();
                s.release();
            }
        }));
    }
    while (with_one < 20) yield();
    auto big = coir::spawn([&] {
        s.acquire(10);
        has_ten = true;
        EXPECT_EQ(s.available(), 0u);
        s.release(10);
        stop = true;
    });
    until_parked(big);
    const int before = with_one;
    big.get();
    EXPECT_LE(with_one - before, 20) << "only who stood before it, and who was inside";
    EXPECT_TRUE(has_ten);
    get_all(small);
    EXPECT_EQ(s.available(), 10u);
}

COIR_TEST(semaphore, nobody_overtakes_one_that_waits_for_many) {
    coir::semaphore s(5);
    auto big = coir::spawn([&] { s.acquire(10); });
    until_parked(big);
    EXPECT_FALSE(s.try_acquire()) << "although there are five";
    EXPECT_FALSE(s.try_acquire_for(0s));
    EXPECT_EQ(s.available(), 5u);
    s.release(4);
    run_until_parked();
    EXPECT_FALSE(big.done());
    s.release(3);
    big.get();
    EXPECT_EQ(s.available(), 2u);
}

COIR_TEST(semaphore, one_release_serves_as_many_as_it_is_enough_for) {
    coir::semaphore s;
    std::vector<int> got(4);
    tasks all = line_up(4, [&](int i) {
        s.acquire(static_cast<std::size_t>(i + 1));
        got[static_cast<std::size_t>(i)] = i + 1;
    });
    s.release(6);
    run_until_parked();
    EXPECT_EQ(got, (std::vector{1, 2, 3, 0}));
    s.release(4);
    get_all(all);
    EXPECT_EQ(s.available(), 0u);
}

COIR_TEST(semaphore, who_gives_up_lets_those_behind_it_through) {
    const virtual_clock clock;
    coir::semaphore s(5);
    std::string outcome;
    tasks all = line_up(5, [&](int i) {
        if (i == 0) {
            outcome += s.try_acquire_for(6, 1ms) ? "wrong " : "limit ";
        } else if (i == 1) {
            outcome += thrown_by([&] { coir::wait_for(2ms, [&] { s.acquire(6); }); }) + " ";
        } else if (i == 2) {
            outcome += thrown_by([&] { s.acquire(6); }) + " ";
        } else {
            s.acquire(2);
            outcome += "got ";
        }
    });
    coir::this_fiber::sleep_for(3ms);
    EXPECT_EQ(outcome, "limit timed_out ");
    all[2].cancel();
    get_all(all);  // without a release
    EXPECT_TRUE(outcome == "limit timed_out cancelled got got " || outcome == "limit timed_out got cancelled got " ||
                outcome == "limit timed_out got got cancelled ")
        << outcome;
    EXPECT_EQ(s.available(), 1u);
}

COIR_TEST(semaphore, permits_that_were_handed_over_are_kept_by_who_is_cancelled_in_that_round) {
    coir::semaphore s;
    bool got = false;
    auto t = coir::spawn([&] {
        s.acquire(2);
        got = true;
        yield();
        ADD_FAILURE();
    });
    until_parked(t);
    s.release(2);
    t.cancel();
    t.join();
    EXPECT_TRUE(got);
    EXPECT_EQ(s.available(), 0u);
}

COIR_TEST(semaphore, cancelled_and_released_in_one_round_the_permit_goes_to_the_next) {
    coir::semaphore s;
    tasks all = line_up(2, [&](int) { s.acquire(); });
    all[0].cancel();
    s.release();
    all[0].join();
    all[1].get();
    EXPECT_TRUE(all[0].was_cancelled());
    EXPECT_EQ(s.available(), 0u);
}

COIR_TEST(semaphore, released_in_the_round_of_the_limit_it_has_the_permit) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::semaphore s;
    auto t = coir::spawn([&] { return s.try_acquire_for(1ms); });
    until_parked(t);
    clock.advance(1ms);
    s.release();
    EXPECT_TRUE(t.get());
    EXPECT_EQ(s.available(), 0u);
}

COIR_TEST(semaphore, limits_are_never_early_and_take_nothing) {
    const virtual_clock clock;
    coir::semaphore s(1);
    EXPECT_FALSE(s.try_acquire_for(2, 3ms));
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_FALSE(s.try_acquire_until(2, coir::deadline::after(-1s)));
    EXPECT_FALSE(s.try_acquire(2));
    EXPECT_TRUE(s.try_acquire_until(coir::deadline::after(0s)));
    EXPECT_EQ(s.available(), 0u);
    EXPECT_EQ(clock.elapsed(), 3ms);
}

COIR_TEST(semaphore, none_and_more_than_can_be_counted) {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    coir::semaphore s(most - 1);
    s.acquire(0);
    s.release(0);
    EXPECT_TRUE(s.try_acquire(0));
    s.release();
    EXPECT_EQ(thrown_by([&] { s.release(); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { s.release(most); }), "fiber_error");
    EXPECT_EQ(s.available(), most);
    s.acquire(most);
    EXPECT_EQ(s.available(), 0u);
}

/// A burst while nobody takes is kept in full, and a consumer that has had its permits finds no more.
COIR_TEST(semaphore, a_burst_is_counted_exactly) {
    coir::semaphore s;
    int taken = 0;
    auto consumer = coir::spawn([&] {
        while (true) {
            s.acquire();
            ++taken;
        }
    });
    until_parked(consumer);
    for (int burst = 0; burst < 4; ++burst) {
        for (int i = 0; i < 250; ++i) s.release();
        run_until_parked();
        EXPECT_EQ(taken, 250 * (burst + 1));
        EXPECT_EQ(s.available(), 0u);
    }
    consumer.cancel();
    consumer.join();
}

COIR_TEST(semaphore, a_posted_function_may_not_wait_and_may_release) {
    coir::semaphore s;
    EXPECT_EQ(thrown_when_posted([&] { s.acquire(); }), "fiber_error");
    auto t = coir::spawn([&] { s.acquire(); });
    until_parked(t);
    EXPECT_EQ(thrown_when_posted([&] { s.release(2); }), "");
    t.get();
    EXPECT_EQ(thrown_when_posted([&] { s.acquire(); }), "") << "it need not wait";
    EXPECT_EQ(s.available(), 0u);
}

COIR_TEST(semaphore, random_limits_and_cancellations_lose_no_permit) {
    const virtual_clock clock;
    coir::semaphore s(7);
    std::mt19937 random = dice();
    tasks all;
    for (int i = 0; i < 30; ++i) {
        all.push_back(coir::spawn([&] {
            for (int round = 0; round < 5; ++round) {
                const std::size_t n = random() % 7 + 1;
                bool got = false;
                thrown_by([&] {
                    if (random() % 2) {
                        got = s.try_acquire_for(n, std::chrono::microseconds(random() % 30));
                    } else {
                        s.acquire(n);
                        got = true;
                    }
                });
                thrown_by([&] { coir::this_fiber::sleep_for(std::chrono::microseconds(random() % 10)); });
                if (got) s.release(n);
            }
        }));
    }
    for (int i = 0; i < 30; ++i) {
        all[random() % all.size()].cancel();
        coir::this_fiber::sleep_for(5us);
    }
    for (auto& t : all) t.join();
    EXPECT_EQ(s.available(), 7u);
}

}  // namespace
