// A hub_pool on both sides of a fork.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/hub_pool_test.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace hub_pool_tests;
using coir::hub_pool;
using task_tests::thrown_by;

using pooled_fork = pooled;

TEST_F(pooled_fork, the_child_has_no_pool_and_the_parent_keeps_its) {
    auto hubs = std::make_unique<hub_pool>(2);
    coir::event go;
    auto parked = hubs->spawn([&] { go.wait(); });
    EXPECT_EQ(in_child([&] {
                  if (thrown_by([&] { hubs->spawn([] {}); }) != "fiber_error") return 1;
                  if (thrown_by([&] { hubs->spawn_on(0, [] {}); }) != "fiber_error") return 2;
                  if (hubs->size() != 2) return 3;
                  if (!parked.done()) return 4;
                  hubs.reset();
                  hub_pool own(2);
                  return own.spawn([] { return 0; }).get();
              }),
              0);
    EXPECT_FALSE(parked.done());
    go.set();
    parked.get();
    EXPECT_EQ(hubs->spawn([] { return 3; }).get(), 3);
}

TEST_F(pooled_fork, stop_in_the_child_does_not_wait_for_threads_of_the_parent) {
    hub_pool hubs(2);
    EXPECT_EQ(in_child([&] {
                  const auto start = std::chrono::steady_clock::now();
                  try {
                      hubs.stop(1s);
                  } catch (const coir::fiber_error&) {
                  }
                  return std::chrono::steady_clock::now() - start < 5s ? 0 : 1;
              }),
              0);
}

TEST_F(pooled_fork, from_one_of_its_tasks) {
    hub_pool hubs(2);
    coir::event never;
    auto parked = hubs.spawn([&] { never.wait(); });
    EXPECT_EQ(hubs.spawn([&] {
                      return in_child([&] {
                          coir::this_fiber::sleep_for(1ms);
                          if (thrown_by([&] { hubs.spawn([] {}); }) != "fiber_error") return 1;
                          return coir::spawn([] { return 0; }).get();
                      });
                  })
                  .get(),
              0);
    parked.cancel();
    parked.join();
}

/// No pending work is shared: what waits in the pool is the parent's to start.
TEST_F(pooled_fork, tasks_that_wait_to_be_started_are_not_started_in_the_child) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    {
        hub_pool hubs(1);
        std::vector<coir::task<void>> waiting;
        const int rc = hubs.spawn([&] {
                               for (int i = 0; i < 3; ++i) {
                                   waiting.push_back(hubs.spawn([&] { EXPECT_EQ(::write(fds[1], "x", 1), 1); }));
                                   waiting.push_back(hubs.spawn_on(0, [&] { EXPECT_EQ(::write(fds[1], "x", 1), 1); }));
                               }
                               return in_child([&] {
                                   coir::this_fiber::sleep_for(5ms);
                                   for (auto& t : waiting) {
                                       if (!t.was_cancelled()) return 1;
                                   }
                                   return 0;
                               });
                           })
                           .get();
        EXPECT_EQ(rc, 0) << "in the child they read as cancelled";
        for (auto& t : waiting) t.get();
    }
    ::close(fds[1]);
    char got[64];
    EXPECT_EQ(::read(fds[0], got, sizeof got), 6) << "each has run once, in the parent";
    ::close(fds[0]);
}

/// Row T8.
TEST_F(pooled_fork, while_other_threads_spawn) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the sanitizer's allocator does not wait at the fork for the locks that other threads hold in it";
#endif
    hub_pool hubs(2);
    std::atomic<bool> stop{false};
    std::thread spawner([&] {
        while (!stop) hubs.spawn([] {}).join();
    });
    for (int i = 0; i < 200 / share; ++i) {
        ASSERT_EQ(in_child([&] {
                      if (thrown_by([&] { hubs.spawn([] {}); }) != "fiber_error") return 1;
                      return coir::spawn([] { return 0; }).get();
                  }),
                  0);
    }
    stop = true;
    spawner.join();
}

}  // namespace
