#include "exec/thread_pool_test.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
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
using namespace exec_tests;
using coir::thread_pool;
using task_tests::thrown_by;

using pool_of_threads = pool_test;

// --- results

TEST_F(pool_of_threads, gives_what_the_job_returns) {
    thread_pool pool(2);
    EXPECT_EQ(pool.submit([](int a, int b) { return a + b; }, 3, 4).get(), 7);
    EXPECT_EQ(pool.submit([] { return std::string("text"); }).get(), "text");
    pool.submit([] {}).get();
    EXPECT_EQ(pool.submit(&std::string::size, std::string("four")).get(), 4u);
}

TEST_F(pool_of_threads, runs_on_threads_of_its_own_with_its_name) {
    thread_pool pool({.max_threads = 1, .name = "mill"});
    const auto [id, name] = pool.submit([] {
                                    char text[16];
                                    ::pthread_getname_np(::pthread_self(), text, sizeof text);
                                    return std::pair(std::this_thread::get_id(), std::string(text));
                                })
                                .get();
    EXPECT_NE(id, std::this_thread::get_id());
    EXPECT_EQ(name, "mill");
}

TEST_F(pool_of_threads, moves_what_can_only_be_moved) {
    thread_pool pool(1);
    auto doubled =
        pool.submit([](std::unique_ptr<int> n) { return std::make_unique<int>(*n * 2); }, std::make_unique<int>(21));
    EXPECT_EQ(*doubled.get(), 42);
    auto function = [owned = std::make_unique<int>(5)] { return *owned; };
    EXPECT_EQ(pool.submit(std::move(function)).get(), 5);
    auto once = [](std::unique_ptr<int>&& n) { return *n; };
    EXPECT_EQ(pool.submit(once, std::make_unique<int>(6)).get(), 6);
}

TEST_F(pool_of_threads, copies_arguments_and_passes_references_on_request) {
    thread_pool pool(1);
    int n = 1;
    pool.submit([](int& copy) { ++copy; }, std::ref(n)).get();
    EXPECT_EQ(n, 2);
    std::string text = "before";
    std::atomic<bool> go{false};
    auto later = pool.submit(
        [&](const std::string& t) {
            spin_until(go);
            return t;
        },
        text);
    text = "after";
    go = true;
    EXPECT_EQ(later.get(), "before");
    auto reference = pool.submit([](int& r) -> int& { return r; }, std::ref(n));
    EXPECT_EQ(&reference.get(), &n);
}

TEST_F(pool_of_threads, gives_what_the_job_throws) {
    thread_pool pool(2);
    EXPECT_EQ(thrown_by([&] { pool.submit([] { throw std::runtime_error("broken"); }).get(); }), "broken");
    try {
        pool.submit([] { throw 42; }).get();
        ADD_FAILURE();
    } catch (int n) {
        EXPECT_EQ(n, 42);
    }
    EXPECT_EQ(thrown_by([&] { pool.submit([] { throw coir::cancelled(); }).get(); }), "cancelled");
}

TEST_F(pool_of_threads, a_result_whose_move_throws_is_an_error) {
    struct difficult {
        difficult() = default;
        difficult(const difficult&) { throw std::runtime_error("will not be moved"); }
    };
    thread_pool pool(1);
    static difficult there;
    EXPECT_EQ(thrown_by([&] { pool.submit([]() -> difficult { return there; }).get(); }), "will not be moved");
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST_F(pool_of_threads, a_null_function_is_refused) {
    thread_pool pool(1);
    EXPECT_EQ(thrown_by([&] { pool.submit(std::function<void()>()); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { pool.try_submit(static_cast<void (*)()>(nullptr)); }), "fiber_error");
    EXPECT_EQ(pool.size(), 0u);
}

/// Row E1.
TEST_F(pool_of_threads, jobs_that_throw_cost_no_thread) {
    if (is_tsan) GTEST_SKIP() << "libstdc++ counts exception_ptrs where ThreadSanitizer does not see it";
    thread_pool pool(2);
    for (int i = 0; i < 100'000 / share; ++i) {
        ASSERT_EQ(thrown_by([&] { pool.submit([i] { throw std::runtime_error(std::to_string(i)); }).get(); }),
                  std::to_string(i));
        ASSERT_LE(pool.size(), 2u);
    }
    std::set<std::thread::id> threads;
    for (int i = 0; i < 100; ++i) threads.insert(pool.submit([] { return std::this_thread::get_id(); }).get());
    EXPECT_LE(threads.size(), 2u);
}

TEST_F(pool_of_threads, a_dropped_future_lets_the_job_go_on) {
    thread_pool pool(1);
    std::atomic<bool> ran{false};
    {
        pool.submit([&] { ran = true; });
    }
    spin_until(ran);
    pool.submit([] { throw std::runtime_error("heard by nobody"); });
}

TEST_F(pool_of_threads, futures_are_waited_for_by_fibers_and_plain_threads_at_once) {
    thread_pool pool(2);
    std::vector<std::thread> threads;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int k = 0; k < 1'000 / share; ++k) ASSERT_EQ(pool.submit([=] { return i + k; }).get(), i + k);
        });
        tasks.push_back(coir::spawn([&, i] {
            for (int k = 0; k < 1'000 / share; ++k) ASSERT_EQ(pool.submit([=] { return i * k; }).get(), i * k);
        }));
    }
    for (auto& t : tasks) t.get();
    for (auto& t : threads) t.join();
}

TEST_F(pool_of_threads, a_wait_for_a_result_is_cancelled_and_the_job_goes_on) {
    thread_pool pool(1);
    std::atomic<bool> go{false}, ran{false};
    auto waiting = coir::spawn([&] {
        pool.submit([&] {
                spin_until(go);
                ran = true;
            })
            .get();
    });
    task_tests::until_parked(waiting);
    waiting.cancel();
    waiting.join();
    EXPECT_TRUE(waiting.was_cancelled());
    EXPECT_FALSE(ran);
    go = true;
    spin_until(ran);
}

/// The hub is not held up, by whatever many jobs.
TEST_F(pool_of_threads, the_hub_goes_on_meanwhile) {
    thread_pool pool(2);
    const busy_threads all(pool, 2);
    auto queued = pool.submit([] {});
    int turns = 0;
    auto other = coir::spawn([&] {
        for (; turns < 1'000; ++turns) coir::this_fiber::yield();
    });
    other.join();
    EXPECT_EQ(turns, 1'000);
    EXPECT_FALSE(queued.ready());
}

// --- threads

TEST_F(pool_of_threads, starts_none_before_there_is_a_job) {
    thread_pool pool(8);
    EXPECT_EQ(pool.size(), 0u);
    EXPECT_EQ(pool.waiting(), 0u);
    pool.submit([] {}).get();
    EXPECT_GE(pool.size(), 1u);
    EXPECT_LE(pool.size(), 2u);  // a second one if the first was slow to come
}

TEST_F(pool_of_threads, an_idle_thread_is_used_again) {
    thread_pool pool(8);
    for (int i = 0; i < 1'000; ++i) {
        pool.submit([] {}).get();
        work_for(2us);  // a job's future is ready a little before its thread is
    }
    EXPECT_LE(pool.size(), 4u);
}

TEST_F(pool_of_threads, grows_to_its_limit_and_not_beyond) {
    thread_pool pool(4);
    std::atomic<int> running{0}, most{0};
    std::vector<coir::future<void>> jobs;
    std::atomic<bool> go{false};
    for (int i = 0; i < 50; ++i) {
        jobs.push_back(pool.submit([&] {
            const int now = ++running;
            int seen = most;
            while (now > seen && !most.compare_exchange_weak(seen, now)) {
            }
            spin_until(go);
            --running;
        }));
    }
    while (running < 4) coir::this_fiber::yield();
    EXPECT_EQ(pool.size(), 4u);
    EXPECT_EQ(pool.waiting(), 46u);
    go = true;
    for (auto& j : jobs) j.get();
    EXPECT_EQ(most, 4);
    EXPECT_EQ(pool.waiting(), 0u);
}

TEST_F(pool_of_threads, none_stands_for_the_number_of_processors) {
    thread_pool pool;
    const int processors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const busy_threads all(pool, processors);
    auto queued = pool.submit([] {});
    EXPECT_EQ(pool.size(), static_cast<std::size_t>(processors));
    EXPECT_EQ(pool.waiting(), 1u);
}

TEST_F(pool_of_threads, shrinks_when_it_idles_and_grows_again) {
    thread_pool pool({.max_threads = 4, .idle_time = 2ms});
    const int before = threads_alive();
    for (int round = 0; round < 5; ++round) {
        { const busy_threads all(pool, 4); }
        while (pool.size() != 0) coir::this_fiber::sleep_for(1ms);
        EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
    }
    while (pool.size() != 0) coir::this_fiber::sleep_for(1ms);
    while (threads_alive() > before) coir::this_fiber::sleep_for(1ms);
}

/// A job may come at the very moment in which the last thread gives up.
TEST_F(pool_of_threads, no_job_is_lost_to_a_thread_that_is_about_to_end) {
    for (const auto idle : {0us, 1us, 20us, 60us}) {
        thread_pool pool({.max_threads = 1, .idle_time = idle});
        for (int i = 0; i < 5'000 / share; ++i) {
            auto job = pool.submit([] {});
            ASSERT_EQ(job.wait_for(30s), std::future_status::ready) << i;
            if (i % 3 == 0) work_for(std::chrono::microseconds(i % 50));
        }
    }
}

TEST_F(pool_of_threads, without_a_queue_no_job_is_lost_to_a_thread_that_is_about_to_end) {
    for (const auto idle : {0us, 1us, 20us, 60us}) {
        thread_pool pool({.max_threads = 1, .queue_limit = 0, .idle_time = idle});
        for (int i = 0; i < 5'000 / share; ++i) {
            try {
                const coir::timeout limit(30s);
                pool.submit([] {}).get();
            } catch (const coir::timed_out&) {
                FAIL() << "job " << i << " found nobody";
            }
            if (i % 3 == 0) work_for(std::chrono::microseconds(i % 50));
        }
    }
}

// --- the queue

TEST_F(pool_of_threads, first_come_first_served) {
    thread_pool pool({.max_threads = 1, .queue_limit = 10});
    std::vector<int> order;
    for (int i = 0; i < 10'000 / share; ++i) pool.submit([&order, i] { order.push_back(i); });  // row E2
    pool.stop();
    EXPECT_EQ(order.size(), static_cast<std::size_t>(10'000 / share));
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(pool_of_threads, submit_waits_for_room) {
    thread_pool pool({.max_threads = 1, .queue_limit = 2});
    busy_threads all(pool, 1);
    auto a = pool.submit([] {});
    auto b = pool.submit([] {});
    EXPECT_EQ(pool.waiting(), 2u);
    bool submitted = false;
    auto waiting = coir::spawn([&] {
        auto c = pool.submit([] {});
        submitted = true;
        c.get();
    });
    task_tests::until_parked(waiting);
    EXPECT_FALSE(submitted);
    EXPECT_EQ(pool.waiting(), 2u);
    all.release();
    waiting.get();
    EXPECT_TRUE(submitted);
}

TEST_F(pool_of_threads, a_plain_thread_waits_for_room_too) {
    thread_pool pool({.max_threads = 1, .queue_limit = 1});
    busy_threads all(pool, 1);
    auto a = pool.submit([] {});
    std::atomic<bool> begun{false}, submitted{false};
    std::thread plain([&] {
        begun = true;
        pool.submit([] {}).get();
        submitted = true;
    });
    spin_until(begun);
    work_for(5ms);
    EXPECT_FALSE(submitted);
    all.release();
    plain.join();
    EXPECT_TRUE(submitted);
}

TEST_F(pool_of_threads, those_who_wait_for_room_are_served_in_their_order) {
    thread_pool pool({.max_threads = 1, .queue_limit = 1});
    std::vector<int> order;
    {
        busy_threads all(pool, 1);
        auto first = pool.submit([&] { order.push_back(0); });
        std::vector<coir::task<void>> waiting;
        for (int i = 1; i < 50; ++i) {
            waiting.push_back(coir::spawn([&, i] { pool.submit([&order, i] { order.push_back(i); }); }));
            task_tests::until_parked(waiting.back());
        }
        all.release();
        for (auto& t : waiting) t.get();
    }
    pool.stop();
    EXPECT_EQ(order.size(), 50u);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(pool_of_threads, a_submit_that_waits_is_cancelled_and_nothing_runs) {
    thread_pool pool({.max_threads = 1, .queue_limit = 1});
    std::atomic<int> ran{0};
    auto owned = std::make_shared<int>();
    {
        const busy_threads all(pool, 1);
        auto queued = pool.submit([&] { ++ran; });
        auto waiting = coir::spawn([&] { pool.submit([&, owned] { ran += 100; }); });
        auto limited = coir::spawn([&] {
            const coir::timeout limit(1ms);
            pool.submit([&, owned] { ran += 100; });
        });
        task_tests::until_parked(waiting);
        waiting.cancel();
        waiting.join();
        EXPECT_TRUE(waiting.was_cancelled());
        EXPECT_EQ(thrown_by([&] { limited.get(); }), "timed_out");
        EXPECT_EQ(owned.use_count(), 1);
    }
    pool.stop();
    EXPECT_EQ(ran, 1);
}

TEST_F(pool_of_threads, try_submit_never_waits) {
    thread_pool pool({.max_threads = 1, .queue_limit = 1});
    std::atomic<int> ran{0};
    {
        const busy_threads all(pool, 1);
        auto queued = pool.try_submit([&] { return ++ran; });
        ASSERT_TRUE(queued);
        auto owned = std::make_unique<int>();
        EXPECT_FALSE(pool.try_submit([&] { return ran += 100; }));
        EXPECT_FALSE(pool.try_submit([](std::unique_ptr<int>) {}, std::move(owned)));
    }
    pool.stop();
    EXPECT_EQ(ran, 1);
}

TEST_F(pool_of_threads, try_submit_starts_a_thread) {
    thread_pool pool(2);
    auto job = pool.try_submit([] { return 3; });
    ASSERT_TRUE(job);
    EXPECT_EQ(job->get(), 3);
    EXPECT_EQ(thrown_by([&] { pool.try_submit([] { throw std::runtime_error("no"); })->get(); }), "no");
}

TEST_F(pool_of_threads, without_a_queue_a_job_goes_from_hand_to_hand) {
    thread_pool pool({.max_threads = 2, .queue_limit = 0});
    for (int i = 0; i < 1'000 / share; ++i) ASSERT_EQ(pool.submit([i] { return i; }).get(), i);
    {
        busy_threads all(pool, 2);
        EXPECT_FALSE(pool.try_submit([] {}));
        auto waiting = coir::spawn([&] { return pool.submit([] { return 1; }).get(); });
        task_tests::until_parked(waiting);
        EXPECT_EQ(pool.waiting(), 0u);
        all.release();
        EXPECT_EQ(waiting.get(), 1);
    }
    // Not at once: the threads have to come back first.
    while (!pool.try_submit([] {})) coir::this_fiber::yield();
}

TEST_F(pool_of_threads, with_a_queue_of_one) {
    thread_pool pool({.max_threads = 3, .queue_limit = 1});
    std::atomic<int> ran{0};
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 500 / share; ++i) {
        tasks.push_back(coir::spawn([&] {
            pool.submit([&] { ++ran; }).get();
            pool.submit([&] { ++ran; });
        }));
    }
    for (auto& t : tasks) t.get();
    pool.stop();
    EXPECT_EQ(ran, 2 * (500 / share));
}

TEST_F(pool_of_threads, many_threads_submit_at_once) {
    thread_pool pool({.max_threads = 3, .queue_limit = 16});
    std::atomic<long> sum{0};
    std::vector<std::thread> threads;
    const int each = 20'000 / share;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < each; ++k) {
                if (k % 4) {
                    pool.submit([&, k] { sum += k; });
                } else {
                    while (!pool.try_submit([&, k] { sum += k; })) ::sched_yield();
                }
            }
        });
    }
    for (auto& t : threads) t.join();
    pool.stop();
    EXPECT_EQ(sum, 4L * each * (each - 1) / 2);
}

TEST_F(pool_of_threads, tasks_of_several_hubs_submit_at_once) {
    coir::hub_pool hubs(4);
    thread_pool pool({.max_threads = 2, .queue_limit = 4});
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(hubs.spawn([&, i] {
            for (int k = 0; k < 100 / share; ++k) ASSERT_EQ(pool.submit([=] { return i * k; }).get(), i * k);
        }));
    }
    for (auto& t : tasks) t.get();
}

}  // namespace
