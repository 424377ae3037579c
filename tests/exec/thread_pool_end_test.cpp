// How a thread_pool ends, jobs that wait for jobs, and jobs that use coir.
#include "exec/thread_pool_test.hpp"

#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace exec_tests;
using coir::thread_pool;
using task_tests::thrown_by;

using end_of_pool = pool_test;

// --- row E7

TEST_F(end_of_pool, finish_runs_what_is_queued) {
    thread_pool pool({.max_threads = 2});
    std::atomic<int> ran{0};
    std::vector<coir::future<void>> jobs;
    {
        busy_threads all(pool, 2);
        for (int i = 0; i < 500; ++i) jobs.push_back(pool.submit([&] { ++ran; }));
        auto stopper = coir::spawn([&] { pool.stop(); });
        task_tests::until_parked(stopper);
        EXPECT_EQ(ran, 0);
        EXPECT_EQ(thrown_by([&] { pool.submit([] {}); }), "fiber_error");
        all.release();
        stopper.get();
    }
    EXPECT_EQ(ran, 500);
    for (auto& j : jobs) j.get();
    EXPECT_EQ(pool.size(), 0u);
}

TEST_F(end_of_pool, drop_runs_none_of_what_is_queued) {
    thread_pool pool({.max_threads = 2});
    std::atomic<int> ran{0};
    auto owned = std::make_shared<int>();
    std::vector<coir::future<void>> jobs;
    {
        busy_threads all(pool, 2);
        for (int i = 0; i < 500; ++i) jobs.push_back(pool.submit([&, owned] { ++ran; }));
        auto stopper = coir::spawn([&] { pool.stop(thread_pool::queued::drop); });
        task_tests::until_parked(stopper);
        EXPECT_EQ(owned.use_count(), 1) << "dropped at once";
        for (auto& j : jobs) EXPECT_TRUE(j.ready());
        all.release();
        stopper.get();
    }
    EXPECT_EQ(ran, 0);
    for (auto& j : jobs) EXPECT_EQ(thrown_by([&] { j.get(); }), "task_cancelled");
}

TEST_F(end_of_pool, what_is_submitted_while_it_stops_runs_or_is_refused) {
    for (int round = 0; round < 200 / share + 5; ++round) {
        thread_pool pool({.max_threads = 2, .queue_limit = 4});
        std::atomic<int> ran{0}, accepted{0}, dropped{0}, refused{0}, ready{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                ++ready;
                for (int k = 0; k < 100; ++k) {
                    try {
                        auto job = pool.submit([&] { ++ran; });
                        ++accepted;
                        job.get();
                    } catch (const coir::fiber_error&) {
                        ++refused;
                    } catch (const coir::task_cancelled&) {
                        ++dropped;
                    }
                }
            });
        }
        while (ready < 3) ::sched_yield();
        pool.stop(round % 2 ? thread_pool::queued::finish : thread_pool::queued::drop);
        for (auto& t : threads) t.join();
        pool.stop();
        EXPECT_EQ(accepted, ran + dropped);
        EXPECT_EQ(accepted + refused, 300);
    }
}

TEST_F(end_of_pool, those_who_wait_for_room_are_refused) {
    thread_pool pool({.max_threads = 1, .queue_limit = 1});
    std::atomic<int> ran{0};
    {
        busy_threads all(pool, 1);
        auto queued = pool.submit([&] { ++ran; });
        auto waiting = coir::spawn([&] { pool.submit([&] { ran += 100; }); });
        task_tests::until_parked(waiting);
        auto stopper = coir::spawn([&] { pool.stop(); });
        EXPECT_EQ(thrown_by([&] { waiting.get(); }), "fiber_error");
        all.release();
        stopper.get();
    }
    EXPECT_EQ(ran, 1);
}

TEST_F(end_of_pool, submit_after_it_is_refused_and_says_who) {
    thread_pool pool({.max_threads = 1, .name = "mill"});
    pool.stop();
    pool.stop(thread_pool::queued::drop);
    EXPECT_EQ(thrown_by([&] { pool.try_submit([] {}); }), "fiber_error");
    try {
        pool.submit([] {});
        ADD_FAILURE();
    } catch (const coir::fiber_error& e) {
        EXPECT_STREQ(e.what(), "thread_pool \"mill\" is stopped and takes no more jobs");
    }
    EXPECT_EQ(pool.size(), 0u);
}

TEST_F(end_of_pool, a_stop_that_is_cancelled_may_be_called_again) {
    thread_pool pool(1);
    std::atomic<int> ran{0};
    {
        busy_threads all(pool, 1);
        auto queued = pool.submit([&] { ++ran; });
        auto stopper = coir::spawn([&] { pool.stop(); });
        task_tests::until_parked(stopper);
        stopper.cancel();
        stopper.join();
        EXPECT_TRUE(stopper.was_cancelled());
        EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { pool.stop(); }); }), "timed_out");
        EXPECT_EQ(thrown_by([&] { pool.submit([] {}); }), "fiber_error");
    }
    pool.stop();
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(pool.size(), 0u);
}

TEST_F(end_of_pool, stopped_by_several_at_once) {
    for (int round = 0; round < 100 / share + 5; ++round) {
        thread_pool pool(2);
        std::atomic<int> ran{0};
        for (int i = 0; i < 20; ++i) pool.submit([&] { ++ran; });
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) threads.emplace_back([&] { pool.stop(); });
        pool.stop();
        EXPECT_EQ(ran, 20);
        for (auto& t : threads) t.join();
    }
}

TEST_F(end_of_pool, stop_from_a_job_does_not_wait) {
    thread_pool pool(1);
    std::atomic<int> ran{0};
    std::atomic<bool> go{false};
    auto stopping = pool.submit([&] {
        spin_until(go);
        pool.stop();
        ++ran;
    });
    auto queued = pool.submit([&] { ++ran; });
    go = true;
    stopping.get();
    queued.get();
    EXPECT_EQ(ran, 2);
    EXPECT_EQ(thrown_by([&] { pool.submit([] {}); }), "fiber_error");
    pool.stop();
    EXPECT_EQ(pool.size(), 0u);
}

TEST_F(end_of_pool, stop_and_drop_from_a_job) {
    thread_pool pool(1);
    std::atomic<bool> go{false};
    auto stopping = pool.submit([&] {
        spin_until(go);
        pool.stop(thread_pool::queued::drop);
    });
    auto queued = pool.submit([] {});
    go = true;
    stopping.get();
    EXPECT_EQ(thrown_by([&] { queued.get(); }), "task_cancelled");
}

TEST_F(end_of_pool, one_pool_is_stopped_by_a_job_of_another) {
    thread_pool outer(1), inner(1);
    std::atomic<int> ran{0};
    for (int i = 0; i < 100; ++i) inner.submit([&] { ++ran; });
    outer.submit([&] { inner.stop(); }).get();
    EXPECT_EQ(ran, 100);
}

TEST_F(end_of_pool, destroyed_with_jobs_queued_runs_them) {
    std::atomic<int> ran{0};
    for (int round = 0; round < 100 / share + 5; ++round) {
        thread_pool pool(2);
        for (int i = 0; i < 50; ++i) pool.submit([&] { ++ran; });
    }
    EXPECT_EQ(ran, 50 * (100 / share + 5));
}

TEST_F(end_of_pool, destroyed_under_cancellation_waits_all_the_same) {
    std::atomic<bool> begun{false}, go{false}, ended{false};
    auto t = coir::spawn([&] {
        thread_pool pool(1);
        pool.submit([&] {
            begun = true;
            spin_until(go);
            ended = true;
        });
        spin_until(begun);
        coir::this_fiber::sleep_for(1h);
    });
    task_tests::until_parked(t);
    t.cancel();
    coir::this_fiber::yield();
    EXPECT_FALSE(t.done());
    go = true;
    t.join();
    EXPECT_TRUE(ended);
}

/// Row T3.
TEST_F(end_of_pool, its_last_owner_may_be_one_of_its_jobs) {
    for (int round = 0; round < 200 / share + 5; ++round) {
        auto pool = std::make_shared<thread_pool>(2);
        std::atomic<bool> go{false};
        std::atomic<int> ran{0};
        auto dropping = pool->submit([&, keep = pool]() mutable {
            spin_until(go);
            keep.reset();
            ++ran;
        });
        auto other = pool->submit([&] { ++ran; });
        pool.reset();
        go = true;
        dropping.get();
        other.get();
        EXPECT_EQ(ran, 2);
    }
}

TEST_F(end_of_pool, its_last_owner_may_be_the_function_of_a_job) {
    for (int round = 0; round < 200 / share + 5; ++round) {
        auto pool = std::make_shared<thread_pool>(1);
        auto job = pool->submit([keep = pool] {});
        pool.reset();
        job.get();
    }
}

TEST_F(end_of_pool, made_and_destroyed_a_thousand_times) {
    for (int i = 0; i < 1'000 / share; ++i) {
        thread_pool pool(2);
        EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
        if (i % 2) pool.submit([] {});
    }
}

TEST_F(end_of_pool, futures_outlive_it) {
    coir::future<int> ended, dropped;
    {
        thread_pool pool(1);
        ended = pool.submit([] { return 4; });
        ended.wait();
        std::atomic<bool> go{false};
        auto busy = pool.submit([&] { spin_until(go); });
        dropped = pool.submit([] { return 5; });
        auto stopper = coir::spawn([&] { pool.stop(thread_pool::queued::drop); });
        task_tests::until_parked(stopper);
        go = true;
        stopper.get();
    }
    EXPECT_EQ(ended.get(), 4);
    EXPECT_EQ(thrown_by([&] { dropped.get(); }), "task_cancelled");
}

// --- jobs that wait

/// Row E3.
TEST_F(end_of_pool, a_job_that_waits_for_one_behind_it_is_told_of_the_deadlock) {
    if (is_tsan) GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
    for (int round = 0; round < 3; ++round) {
        thread_pool pool(1);
        std::atomic<bool> inner_ran{false};
        auto outer = pool.submit([&] {
            auto inner = pool.submit([&] { inner_ran = true; });
            return thrown_by([&] { inner.get(); });
        });
        EXPECT_EQ(outer.get(), "deadlock");
        pool.stop();
        EXPECT_TRUE(inner_ran) << "it had its turn after all";
    }
}

TEST_F(end_of_pool, that_deadlock_is_an_error_of_the_job) {
    if (is_tsan) GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
    thread_pool pool(2);
    const auto nest = [&] {
        auto inner = pool.submit([] {});
        inner.get();
    };
    std::atomic<int> begun{0};
    const auto nest_together = [&] {
        ++begun;
        while (begun < 2) ::sched_yield();
        nest();
    };
    auto a = pool.submit(nest_together);
    auto b = pool.submit(nest_together);
    const std::string first = thrown_by([&] { a.get(); });
    const std::string second = thrown_by([&] { b.get(); });
    EXPECT_TRUE(first == "deadlock" || second == "deadlock") << first << second;
}

TEST_F(end_of_pool, a_nested_job_is_fine_where_a_thread_is_left) {
    thread_pool pool(2);
    EXPECT_EQ(pool.submit([&] { return pool.submit([] { return 9; }).get(); }).get(), 9);
}

TEST_F(end_of_pool, a_long_job_is_no_deadlock_and_says_nothing) {
    testing::internal::CaptureStderr();
    {
        thread_pool pool(1);
        EXPECT_EQ(thrown_by([&] { pool.submit([] { std::this_thread::sleep_for(3s); }).get(); }), "");
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(end_of_pool, idling_is_no_deadlock_and_says_nothing) {
    testing::internal::CaptureStderr();
    {
        thread_pool pool({.max_threads = 3, .idle_time = 1h});
        const busy_threads all(pool, 3);
    }
    {
        thread_pool pool({.max_threads = 3, .idle_time = 1h});
        { const busy_threads all(pool, 3); }
        coir::this_fiber::sleep_for(2500ms);
        EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(end_of_pool, idle_threads_hide_no_deadlock) {
    if (is_tsan) GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
    thread_pool pool({.max_threads = 3, .idle_time = 1h});
    { const busy_threads all(pool, 3); }
    coir::event never;
    EXPECT_EQ(thrown_by([&] { never.wait(); }), "deadlock");
}

TEST_F(end_of_pool, a_job_may_use_coir) {
    thread_pool pool(2);
    coir::channel<int> numbers;
    auto job = pool.submit([&] {
        auto t = coir::spawn([] {
            coir::this_fiber::sleep_for(1ms);
            return 20;
        });
        int sum = t.get();
        for (int n : numbers) sum += n;
        return sum;
    });
    numbers.send(1);
    numbers.send(2);
    numbers.close();
    EXPECT_EQ(job.get(), 23);
    // Its thread has a hub now, and idles and ends as the others do.
    for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST_F(end_of_pool, what_a_job_leaves_on_its_thread_is_no_trouble_for_the_pool) {
    std::atomic<bool> unwound{false};
    {
        thread_pool pool(1);
        pool.submit([&] {
                struct flag {
                    std::atomic<bool>& set;
                    ~flag() { set = true; }
                };
                coir::spawn([&] {
                    const flag at_end{unwound};
                    coir::this_fiber::sleep_for(1h);
                });
                coir::this_fiber::yield();
            })
            .get();
        EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
    }
    EXPECT_TRUE(unwound);
}

/// With a hub of its own it idles as that hub's main fiber, and is to be counted as any idle thread.
TEST_F(end_of_pool, a_thread_whose_job_used_coir_hides_no_deadlock) {
    if (is_tsan) GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
    ::alarm(20);
    thread_pool pool({.max_threads = 1, .idle_time = 1h});
    pool.submit([] { coir::this_fiber::yield(); }).get();
    coir::event never;
    EXPECT_EQ(thrown_by([&] { never.wait(); }), "deadlock");
    ::alarm(0);
}

TEST_F(end_of_pool, a_thread_whose_job_used_coir_is_not_the_one_that_is_told_of_a_deadlock) {
    if (is_tsan) GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
    ::alarm(20);
    thread_pool pool({.max_threads = 1, .idle_time = coir::time_span::forever()});
    pool.submit([] { coir::this_fiber::yield(); }).get();
    coir::event never;
    EXPECT_EQ(thrown_by([&] { never.wait(); }), "deadlock");
    ::alarm(0);
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

}  // namespace
