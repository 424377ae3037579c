// What the tests of thread_pool and offload share: the proof that no thread is left, and jobs that keep threads busy.
#pragma once

#include <coir/exec.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "hub/deadlock.hpp"
#include "task/leftovers.hpp"
#include "task/process.hpp"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

namespace exec_tests {

using task_tests::in_child;
using task_tests::is_tsan;
using task_tests::share;
using task_tests::spin_until;
using task_tests::threads_alive;
using task_tests::threads_to_begin_with;

/// Uses a processor, or not, for so long.
inline void work_for(std::chrono::nanoseconds span) {
    const auto end = std::chrono::steady_clock::now() + span;
    while (std::chrono::steady_clock::now() < end) ::sched_yield();
}

/// No job is left either, and no thread of the test's own pools.
class pool_test : public task_tests::clean_test {
protected:
    ~pool_test() override {
        const auto limit = coir::deadline::after(std::chrono::seconds(20));
        while (coir::detail::helper_job::count() != 0 && !limit.expired()) ::sched_yield();
        EXPECT_EQ(coir::detail::helper_job::count(), 0);
        const int of_default_pool = static_cast<int>(coir::default_pool().size());
        while (threads_alive() > before_ + of_default_pool && !limit.expired()) ::sched_yield();
        EXPECT_LE(threads_alive(), before_ + of_default_pool) << "threads are left over";
    }

private:
    const int before_ = threads_to_begin_with();
};

/// Jobs that keep all of a pool's threads busy, until the end of the scope.
class busy_threads {
public:
    busy_threads(coir::thread_pool& pool, int count) {
        for (int i = 0; i < count; ++i) {
            jobs_.push_back(pool.submit([this] {
                ++running_;
                spin_until(may_end_);
            }));
        }
        while (running_ < count) coir::this_fiber::yield();
    }
    ~busy_threads() {
        release();
        const coir::shield mask;
        for (auto& job : jobs_) job.wait();
    }
    void release() { may_end_ = true; }

private:
    std::atomic<int> running_{0};
    std::atomic<bool> may_end_{false};
    std::vector<coir::future<void>> jobs_;
};

}  // namespace exec_tests
