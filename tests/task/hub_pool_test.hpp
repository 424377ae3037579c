// What the tests of hub_pool share: the proof that no thread is left, and a hub that has no time.
#pragma once

#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace hub_pool_tests {

#ifdef __SANITIZE_THREAD__
inline constexpr bool is_tsan = true;
#else
inline constexpr bool is_tsan = false;
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr int share = 20;  // of what a plain build does
#else
inline constexpr int share = 1;
#endif

/// The kernel's count of this process's threads.
inline int threads_alive() {
    std::ifstream status("/proc/self/status");
    std::string word;
    int count = -1;
    while (status >> word) {
        if (word == "Threads:") status >> count;
    }
    return count;
}

/// A joined thread may be counted a moment longer.
inline void until_threads_are(int count) {
    while (threads_alive() != count) ::sched_yield();
}

/// ThreadSanitizer starts one of its own with the first thread of the program.
inline int threads_to_begin_with() {
    if (!is_tsan) return threads_alive();
    std::thread([] {}).join();
    until_threads_are(2);
    return 2;
}

inline void spin_until(const std::atomic<bool>& flag) {
    while (!flag) ::sched_yield();
}

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
