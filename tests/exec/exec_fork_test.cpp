// thread_pool and offload on both sides of a fork.
#include "exec/thread_pool_test.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace exec_tests;
using coir::thread_pool;

using exec_fork = pool_test;

TEST_F(exec_fork, the_child_can_offload) {
    EXPECT_EQ(coir::offload([] { return 1; }), 1);
    EXPECT_EQ(in_child([] { return coir::offload([] { return 0; }); }), 0);
    EXPECT_EQ(coir::offload([] { return 2; }), 2);
}

TEST_F(exec_fork, the_child_of_a_fiber_can_offload) {
    coir::event never;
    auto parked = coir::spawn([&] { never.wait(); });
    task_tests::until_parked(parked);
    auto forking = coir::spawn([] { return in_child([] { return coir::offload([] { return 0; }); }); });
    EXPECT_EQ(forking.get(), 0);
    parked.cancel();
    parked.join();
}

TEST_F(exec_fork, in_the_child_a_pool_starts_anew_and_empty) {
    thread_pool pool({.max_threads = 1});
    std::atomic<int> ran{0};
    {
        const busy_threads all(pool, 1);
        auto queued = pool.submit([&] { ++ran; });
        EXPECT_EQ(in_child([&] {
                      if (pool.size() != 0 || pool.waiting() != 0) return 1;
                      if (pool.submit([] { return 7; }).get() != 7) return 2;
                      if (ran != 0) return 3;
                      pool.stop();
                      return pool.size() == 0 ? 0 : 4;
                  }),
                  0);
    }
    pool.stop();
    EXPECT_EQ(ran, 1);
}

TEST_F(exec_fork, in_the_child_a_pool_is_destroyed) {
    auto pool = std::make_unique<thread_pool>(2);
    const busy_threads all(*pool, 2);
    EXPECT_EQ(in_child([&] {
                  pool.reset();
                  return 0;
              }),
              0);
}

TEST_F(exec_fork, while_all_threads_of_the_default_pool_are_busy) {
    const busy_threads all(coir::default_pool(), 64);
    EXPECT_EQ(in_child([] { return coir::offload([] { return 0; }); }), 0);
}

/// Row T8.
TEST_F(exec_fork, while_other_threads_submit) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the sanitizer's allocator does not wait at the fork for the locks that other threads hold in it";
#endif
    thread_pool pool(2);
    std::atomic<bool> stop{false};
    std::thread submitter([&] {
        while (!stop) pool.submit([] {}).get();
    });
    std::thread asker([&] {
        while (!stop) (void)pool.size();
    });
    for (int i = 0; i < 300 / share; ++i) {
        const int rc = in_child([&] { return pool.submit([] { return 0; }).get(); });
        EXPECT_EQ(rc, 0) << "fork " << i;
        if (rc != 0) break;
    }
    stop = true;
    submitter.join();
    asker.join();
}

}  // namespace
