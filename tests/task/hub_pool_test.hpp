// What the tests of hub_pool share: the proof that no thread is left, and a hub that has no time.
#pragma once

#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"
#include "task/process.hpp"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace hub_pool_tests {

using task_tests::in_child;
using task_tests::is_tsan;
using task_tests::share;
using task_tests::spin_until;
using task_tests::threads_alive;
using task_tests::threads_to_begin_with;
using task_tests::until_threads_are;

/// No thread of a pool is left either.
class pooled : public task_tests::clean_test {
protected:
    pooled() : threads_(threads_to_begin_with()) {}
    ~pooled() override { until_threads_are(threads_); }

private:
    const int threads_;
};

/// A fiber that blocks its hub's thread, until the end of the scope.
class blocked_hub {
public:
    blocked_hub(coir::hub_pool& hubs, std::size_t index)
        : task_(hubs.spawn_on(index, {.name = "blocker"}, [this] {
              thread_ = std::this_thread::get_id();
              has_begun_ = true;
              spin_until(may_end_);
          })) {
        while (!has_begun_) coir::this_fiber::yield();
    }
    ~blocked_hub() {
        release();
        const coir::shield mask;
        task_.join();
    }
    void release() { may_end_ = true; }
    std::thread::id thread() const { return thread_; }

private:
    std::atomic<bool> has_begun_{false}, may_end_{false};
    std::thread::id thread_;
    coir::task<void> task_;
};

}  // namespace hub_pool_tests
