#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using cancel = task_tests::clean_test;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using task_tests::thrown_by;
using task_tests::until_parked;

TEST_F(cancel, before_the_start_the_body_never_runs) {
    bool ran = false;
    auto t = coir::spawn([&] { ran = true; });
    t.cancel();
    EXPECT_EQ(thrown_by([&] { t.get(); }), "task_cancelled");
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_FALSE(ran);
}

TEST_F(cancel, is_delivered_once_at_the_present_suspension) {
    int times = 0;
    auto t = coir::spawn([&] {
        for (int i = 0; i < 5; ++i) {
            try {
                if (i == 0) sleep_for(1h);
                yield();
            } catch (const coir::cancelled&) {
                ++times;
            }
        }
    });
    until_parked(t);
    for (int i = 0; i < 10; ++i) t.cancel();
    t.get();
    EXPECT_EQ(times, 1);
    EXPECT_FALSE(t.was_cancelled()) << "the body may go on";
}

TEST_F(cancel, a_later_one_is_a_new_one) {
    int times = 0;
    auto t = coir::spawn([&] {
        while (times < 3) {
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                ++times;
            }
        }
    });
    for (int i = 0; i < 3; ++i) {
        until_parked(t);
        t.cancel();
        yield();
    }
    t.get();
    EXPECT_EQ(times, 3);
}

TEST_F(cancel, of_oneself_is_thrown_at_the_next_suspension) {
    coir::task<void> self;
    bool went_on = false;
    self = coir::spawn([&] {
        self.cancel();
        went_on = true;
        yield();
        ADD_FAILURE();
    });
    self.join();
    EXPECT_TRUE(went_on);
    EXPECT_TRUE(self.was_cancelled());
}

TEST_F(cancel, is_no_std_exception) {
    auto t = coir::spawn([] {
        try {
            sleep_for(1h);
        } catch (const std::exception&) {
            ADD_FAILURE();
        }
    });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(cancel, of_an_ended_task_is_nothing) {
    auto t = coir::spawn([] { return 1; });
    t.join();
    t.cancel();
    EXPECT_EQ(t.get(), 1);
}

TEST_F(cancel, is_masked_by_a_shield_and_comes_after_it) {
    int inside = 0;
    auto t = coir::spawn([&] {
        {
            coir::shield outer;
            coir::shield inner;
            sleep_for(2ms);
            ++inside;
        }
        yield();
        ++inside;
    });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_EQ(inside, 1);
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(cancel, a_shield_also_covers_the_fibers_that_are_called_under_it) {
    bool thrown = false;
    auto t = coir::spawn([&] {
        coir::shield mask;
        coir::fiber f([&] { thrown = !thrown_by([] { sleep_for(2ms); }).empty(); });
        f.switch_to();
    });
    task_tests::yield_times(3);
    t.cancel();
    t.join();
    EXPECT_FALSE(thrown);
}

TEST_F(cancel, is_deferred_while_the_fiber_unwinds) {
    bool slept = false, after = false;
    struct goodbye {
        bool& slept;
        ~goodbye() {
            sleep_for(2ms);
            slept = true;
        }
    };
    auto t = coir::spawn([&] {
        try {
            const goodbye g{slept};
            throw 1;
        } catch (int) {
        }
        after = true;
        yield();
        ADD_FAILURE();
    });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(slept && after && t.was_cancelled());
}

TEST_F(cancel, twice_while_blocked_in_a_called_fiber_is_once) {
    int times = 0;
    auto t = coir::spawn([&] {
        coir::fiber f([] { sleep_for(1h); });
        times += thrown_by([&] { f.switch_to(); }) == "cancelled";
        times += thrown_by([] { task_tests::yield_times(3); }) == "cancelled";
    });
    task_tests::yield_times(3);
    t.cancel();
    t.cancel();
    t.join();
    EXPECT_EQ(times, 1);
}

TEST_F(cancel, and_a_limit_in_the_same_round_wake_once) {
    std::vector<coir::task<void>> tasks;
    const auto end = coir::deadline::after(2ms);
    for (int i = 0; i < 100; ++i) tasks.push_back(coir::spawn([=] { coir::this_fiber::sleep_until(end); }));
    for (auto& t : tasks) until_parked(t);
    while (!end.expired()) {
    }
    coir::event posted;
    coir::hub::current().post([&] {
        for (auto& t : tasks) t.cancel();
        posted.set();
    });
    for (auto& t : tasks) t.join();
    posted.wait();
}

TEST_F(cancel, from_another_thread) {
    auto t = coir::spawn([] { sleep_for(1h); });
    until_parked(t);
    std::thread([&] {
        for (int i = 0; i < 100; ++i) t.cancel();
    }).join();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(cancel, of_a_multitude_of_parked_tasks) {
    coir::event never;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < task_tests::multitude; ++i)
        tasks.push_back(coir::spawn({.stack_size = 16384}, [&] { never.wait(); }));
    until_parked(tasks.back());
    for (auto& t : tasks) t.cancel();
    for (auto& t : tasks) t.join();
    EXPECT_TRUE(tasks.front().was_cancelled() && tasks.back().was_cancelled());
}

TEST_F(cancel, a_dropped_fiber_may_suspend_under_a_shield) {
    bool said_goodbye = false;
    coir::fiber f([&] {
        thrown_by([] { sleep_for(1h); });
        coir::shield mask;
        sleep_for(1ms);
        said_goodbye = true;
    });
    auto t = coir::spawn([&] { f.switch_to(); });
    task_tests::yield_times(3);
    f = {};
    t.join();
    EXPECT_TRUE(said_goodbye);
}

}  // namespace
