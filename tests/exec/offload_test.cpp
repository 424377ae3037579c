#include "exec/thread_pool_test.hpp"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace exec_tests;
using coir::offload;
using task_tests::thrown_by;

using offloaded = pool_test;

/// As many as the default pool has threads.
constexpr int threads_of_default_pool = 64;

TEST_F(offloaded, gives_what_the_call_returns) {
    EXPECT_EQ(offload([](int a, int b) { return a * b; }, 6, 7), 42);
    EXPECT_NE(offload([] { return std::this_thread::get_id(); }), std::this_thread::get_id());
    int n = 0;
    offload([&] { n = 5; });
    EXPECT_EQ(n, 5);
}

TEST_F(offloaded, passes_references_as_they_are) {
    int n = 1;
    int& r = offload([](int& i) -> int& { return ++i; }, n);
    EXPECT_EQ(&r, &n);
    EXPECT_EQ(n, 2);
    auto owned = std::make_unique<int>(3);
    offload([](std::unique_ptr<int>& p) { *p = 4; }, owned);
    EXPECT_EQ(*owned, 4);
    auto moved = offload([](std::unique_ptr<int>&& p) { return std::move(p); }, std::move(owned));
    EXPECT_EQ(*moved, 4);
    const auto function = [](const std::string& s) -> const std::string& { return s; };
    const std::string text = "here";
    EXPECT_EQ(&offload(function, text), &text);
    EXPECT_EQ(offload(&std::string::size, text), 4u);
}

TEST_F(offloaded, throws_what_the_call_throws) {
    EXPECT_EQ(thrown_by([] { offload([] { throw std::runtime_error("no"); }); }), "no");
    EXPECT_EQ(thrown_by([] { offload([]() -> int { throw std::runtime_error("no"); }); }), "no");
    EXPECT_EQ(thrown_by([] { offload([] { throw coir::cancelled(); }); }), "cancelled");
    EXPECT_EQ(thrown_by([] { offload(std::function<void()>()); }), "bad_function_call");
    EXPECT_EQ(offload([] { return 1; }), 1);
}

TEST_F(offloaded, only_the_caller_waits) {
    std::atomic<bool> go{false};
    auto blocked = coir::spawn([&] { offload([&] { spin_until(go); }); });
    int turns = 0;
    for (; turns < 1'000; ++turns) coir::this_fiber::yield();
    coir::this_fiber::sleep_for(2ms);
    EXPECT_FALSE(blocked.done());
    go = true;
    blocked.get();
}

TEST_F(offloaded, several_at_the_same_time) {
    std::atomic<int> inside{0};
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < threads_of_default_pool; ++i) {
        tasks.push_back(coir::spawn([&] {
            offload([&] {
                ++inside;
                while (inside < threads_of_default_pool) ::sched_yield();
            });
        }));
    }
    for (auto& t : tasks) t.get();
}

TEST_F(offloaded, on_a_plain_thread_it_is_simply_called) {
    std::thread([] {
        EXPECT_EQ(offload([] { return std::this_thread::get_id(); }), std::this_thread::get_id());
        EXPECT_EQ(thrown_by([] { offload([] { throw std::runtime_error("no"); }); }), "no");
        int n = 1;
        EXPECT_EQ(&offload([&]() -> int& { return n; }), &n);
    }).join();
}

TEST_F(offloaded, in_a_job_of_a_pool_it_is_simply_called) {
    coir::thread_pool pool(1);
    EXPECT_TRUE(pool.submit([] {
                        const auto here = std::this_thread::get_id();
                        return offload([] { return std::this_thread::get_id(); }) == here;
                    })
                    .get());
    EXPECT_TRUE(offload([] {
        const auto here = std::this_thread::get_id();
        return offload([&] { return offload([] { return std::this_thread::get_id(); }); }) == here;
    }));
    // Also when the job has made a hub.
    EXPECT_TRUE(pool.submit([] {
                        coir::this_fiber::yield();
                        const auto here = std::this_thread::get_id();
                        return offload([] { return std::this_thread::get_id(); }) == here;
                    })
                    .get());
}

// --- cancellation

/// All threads of the default pool are busy, so that nothing starts.
class full_pool : public offloaded {
protected:
    void fill() { busy_ = std::make_unique<busy_threads>(coir::default_pool(), threads_of_default_pool); }
    void release() { busy_.reset(); }

private:
    std::unique_ptr<busy_threads> busy_;
};

TEST_F(full_pool, cancelled_before_it_has_started_a_call_never_runs) {
    fill();
    std::atomic<int> ran{0};
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(coir::spawn([&] { offload([&] { ++ran; }); }));
    for (auto& t : tasks) task_tests::until_parked(t);
    for (auto& t : tasks) t.cancel();
    for (auto& t : tasks) {
        t.join();
        EXPECT_TRUE(t.was_cancelled());
    }
    release();
    while (coir::default_pool().waiting() != 0) coir::this_fiber::yield();
    coir::default_pool().submit([] {}).get();
    EXPECT_EQ(ran, 0);
}

TEST_F(full_pool, a_limit_before_it_has_started) {
    fill();
    std::atomic<int> ran{0};
    EXPECT_EQ(thrown_by([&] { coir::wait_for(2ms, [&] { offload([&] { ++ran; }); }); }), "timed_out");
    release();
    coir::default_pool().submit([] {}).get();
    EXPECT_EQ(ran, 0);
}

TEST_F(full_pool, the_stack_of_a_cancelled_caller_is_not_touched_later) {
    fill();
    for (int i = 0; i < 50; ++i) {
        auto t = coir::spawn([] {
            std::string on_the_stack = "still here, and longer than what fits into a string";
            offload([&] { on_the_stack += "?"; });
        });
        task_tests::until_parked(t);
        t.cancel();
        t.join();
    }
    release();
    coir::default_pool().submit([] {}).get();
}

TEST_F(offloaded, cancelled_after_it_has_started_the_call_ends_first) {
    std::atomic<bool> begun{false}, go{false};
    bool ended = false, returned = false;
    auto t = coir::spawn([&] {
        offload([&] {
            begun = true;
            spin_until(go);
            ended = true;
        });
        returned = true;
    });
    while (!begun) coir::this_fiber::yield();
    t.cancel();
    task_tests::yield_times(10);
    EXPECT_FALSE(t.done());
    go = true;
    t.join();
    EXPECT_TRUE(ended);
    EXPECT_FALSE(returned) << "the cancellation comes after the call";
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(offloaded, a_limit_after_it_has_started_comes_after_the_call) {
    std::atomic<bool> begun{false}, go{false}, ended{false};
    coir::task<void> t;
    for (auto limit = 1ms; !begun; limit *= 2) {  // which may be over before it has started
        t = coir::spawn([&, limit] {
            coir::wait_for(limit, [&] {
                offload([&] {
                    begun = true;
                    spin_until(go);
                    ended = true;
                });
            });
        });
        do {
            coir::this_fiber::sleep_for(10 * limit);
        } while (!begun && !t.done());
        if (t.done()) {
            EXPECT_EQ(thrown_by([&] { t.get(); }), "timed_out");
        }
    }
    EXPECT_FALSE(t.done());
    go = true;
    EXPECT_EQ(thrown_by([&] { t.get(); }), "timed_out");
    EXPECT_TRUE(ended);
}

TEST_F(offloaded, a_cancellation_that_was_delivered_before_is_over) {
    bool ran = false;
    auto t = coir::spawn([&] {
        try {
            coir::this_fiber::sleep_for(1h);
        } catch (const coir::cancelled&) {
        }
        offload([&] { ran = true; });
    });
    task_tests::until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(ran);
    EXPECT_FALSE(t.was_cancelled());
}

TEST_F(offloaded, with_a_cancellation_pending_it_never_starts) {
    for (int i = 0; i < 2'000 / share; ++i) {
        std::atomic<bool> ran{false};
        coir::task<void> self;
        self = coir::spawn([&] {
            self.cancel();
            offload([&] { ran = true; });
        });
        self.join();
        ASSERT_TRUE(self.was_cancelled()) << i;
        ASSERT_FALSE(ran) << i;
    }
}

TEST_F(offloaded, under_a_shield_it_is_not_interrupted) {
    std::atomic<bool> begun{false}, go{false}, returned{false};
    auto t = coir::spawn([&] {
        const coir::shield mask;
        EXPECT_EQ(offload([&] {
                      begun = true;
                      spin_until(go);
                      return 3;
                  }),
                  3);
        returned = true;
    });
    while (!begun) coir::this_fiber::yield();
    t.cancel();
    go = true;
    t.join();
    EXPECT_TRUE(returned);
}

/// Row C9.
TEST_F(offloaded, cancelled_at_random_times) {
    const int count = 100'000 / share;
    constexpr int at_once = 20;
    std::atomic<int> ran{0};
    int completed = 0, cancelled = 0;
    std::mt19937 random(29);
    for (int done = 0; done < count; done += at_once) {
        std::vector<coir::task<void>> tasks;
        for (int i = 0; i < at_once; ++i) {
            tasks.push_back(coir::spawn([&] {
                std::string local = "a result that is written to the stack of the caller";
                offload([&] {
                    local += '!';
                    ++ran;
                });
                ASSERT_EQ(local.back(), '!');
            }));
        }
        for (auto& t : tasks) {
            for (auto n = random() % 4; n-- > 0;) coir::this_fiber::yield();
            if (random() % 8 == 0) work_for(std::chrono::microseconds(random() % 20));
            t.cancel();
        }
        for (auto& t : tasks) {
            t.join();
            t.was_cancelled() ? ++cancelled : ++completed;
        }
    }
    EXPECT_EQ(completed + cancelled, (count + at_once - 1) / at_once * at_once);
    EXPECT_GE(ran, completed);
}

// --- hubs

TEST_F(offloaded, from_four_hubs) {
    coir::hub_pool hubs(4);
    std::atomic<int> sum{0};
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(hubs.spawn([&] {
            for (int k = 0; k < 100 / share; ++k) {
                const auto hub_thread = std::this_thread::get_id();
                int local = 0;
                offload([&] {
                    EXPECT_NE(std::this_thread::get_id(), hub_thread);
                    local = 1;
                });
                sum += local;
                ASSERT_EQ(std::this_thread::get_id(), hub_thread);
            }
        }));
    }
    for (auto& t : tasks) t.get();
    EXPECT_EQ(sum, 100 * (100 / share));
}

TEST_F(offloaded, cancelled_from_other_hubs) {
    coir::hub_pool hubs(3);
    std::atomic<int> ended{0};
    for (int round = 0; round < 200 / share + 5; ++round) {
        std::vector<coir::task<void>> tasks;
        for (int i = 0; i < 20; ++i) {
            tasks.push_back(hubs.spawn([&] {
                std::string local = "on the caller's stack";
                offload([&] { local += std::to_string(local.size()); });
            }));
        }
        for (auto& t : tasks) t.cancel();
        for (auto& t : tasks) t.join();
        ended += 20;
    }
}

/// Row E4: the hub has its timers and its other fibers meanwhile.
TEST_F(offloaded, a_long_call_holds_nobody_up_and_is_no_deadlock) {
    testing::internal::CaptureStderr();
    {
        std::atomic<int> ticks{0};
        auto ticker = coir::spawn([&] {
            for (;;) {
                coir::this_fiber::sleep_for(10ms);
                ++ticks;
            }
        });
        offload([] { std::this_thread::sleep_for(300ms); });
        EXPECT_GT(ticks, 3);
        ticker.cancel();
        ticker.join();
        EXPECT_EQ(thrown_by([] { offload([] { std::this_thread::sleep_for(3s); }); }), "");
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
