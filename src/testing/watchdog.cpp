#include "testing/watchdog.hpp"

#include "hub/deadlock.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace coir::testing::detail {

namespace {

constexpr auto patience = std::chrono::seconds(5);

double in_seconds(time_span span) { return std::chrono::duration<double>(span.count()).count(); }

}  // namespace

// It counts as idle: it wakes nobody for whom waiting makes sense.
watchdog::watchdog(time_span limit, task<void> watched)
    : limit_(limit), watched_(std::move(watched)), hub_(hub::current()), thread_([this] { watch(); }) {
    coir::detail::count_stuck(coir::detail::stuck_kind::helper, +1);
}

watchdog::~watchdog() {
    coir::detail::count_stuck(coir::detail::stuck_kind::helper, -1);
    {
        const std::lock_guard guard(mutex_);
        has_ended_ = true;
    }
    ended_.notify_one();
    thread_.join();
}

bool watchdog::wait(std::unique_lock<std::mutex>& lock, time_span span) {
    return ended_.wait_for(lock, span.count(), [this] { return has_ended_; });
}

void watchdog::watch() {
    std::unique_lock lock(mutex_);
    if (wait(lock, limit_)) return;
    hub_.post([this] { bark(); });
    if (wait(lock, patience)) return;
    fmt::print(stderr,
               "coir: a test has not ended within {} s, nor {} s after it was cancelled: it never suspends, or "
               "ignores its cancellation\n",
               in_seconds(limit_), in_seconds(patience));
    std::abort();
}

/// On the hub's thread, which ends the watchdog: so it is alive.
void watchdog::bark() {
    if (watched_.done()) return;
    has_barked_ = true;
    report_ =
        fmt::format("the test was not over within its limit of {} s:\n{}", in_seconds(limit_), hub_.describe_fibers());
    watched_.cancel();
}

}  // namespace coir::testing::detail
