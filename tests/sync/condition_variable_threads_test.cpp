// A file of its own, for misuse that goes wrong ends the process.
#include "sync/kit.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

/// As it is told where nobody notifies meanwhile: condition_variable_test.
COIR_TEST_WITH(condition_variable_misused, waiting_with_a_lock_of_another_fiber_is_told_also_while_a_thread_notifies,
               .limit = 60s) {
    coir::condition_variable changed;
    std::atomic<bool> stop{false};
    std::thread notifier([&] {
        while (!stop) changed.notify_all();
    });
    coir::mutex m;
    for (int i = 0; i < 100'000; ++i) {
        std::unique_lock lock(m, std::adopt_lock);  // holds nothing, in truth
        EXPECT_EQ(thrown_by([&] { changed.wait(lock); }), "fiber_error");
        lock.release();
        if (i % 8 == 0) yield();
    }
    stop = true;
    notifier.join();
}

}  // namespace
