// A hub is stuck when nothing is ready, no timer runs, nobody waits for a descriptor and no work is outside. If all
// threads of the process are stuck, or coir's idle helpers, nobody is left to wake anybody: that is a deadlock, and
// the main fiber of the hub that sees it first is told. The kernel's count of threads decides; where it has more than
// coir knows of, one of them might still act, and the hub only says once what it looks like, and looks again later.
#include "hub/deadlock.hpp"

#include "fiber/switch.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::int64_t second_look_after = 20'000'000;    // ns
constexpr std::int64_t report_after = 2'000'000'000;      // ns
constexpr std::int64_t look_again_every = 5'000'000'000;  // ns

std::atomic<int> stuck_threads{0};
std::atomic<int> idle_helpers{0};
/// Changes whenever one of them gets going again: what was seen before it does not count.
std::atomic<std::uint64_t> awakenings{0};

/// The kernel's count; a large number if it cannot be read.
int threads_in_process() noexcept {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/status", "re"), std::fclose);
    char line[256];
    int count = 1 << 30;
    while (file && std::fgets(line, sizeof line, file.get())) {
        if (std::sscanf(line, "Threads: %d", &count) == 1) break;
    }
    return count;
}

}  // namespace

void count_stuck(int change) noexcept {
    stuck_threads += change;
    if (change < 0) ++awakenings;
}

void count_idle_helper(int change) noexcept {
    idle_helpers += change;
    ++awakenings;
}

void forget_stuck_threads() noexcept {
    stuck_threads = 0;
    idle_helpers = 0;
}

/// The hub has nothing to do and nothing to wait for. Says until when to sleep.
std::int64_t hub_core::look_for_deadlock() noexcept {
    const std::int64_t now = steady_now();
    const std::uint64_t seen = awakenings;
    const bool unchanged = is_stuck_ && std::exchange(seen_awakenings_, seen) == seen;
    if (!is_stuck_) {
        is_stuck_ = true;
        count_stuck(+1);
        seen_awakenings_ = seen;
        if (suspicion_at_ != timer_queue::never) suspicion_at_ = now + report_after;
    }
    const int threads = threads_in_process();
    if (stuck_threads + idle_helpers >= threads) {
        // With several threads it must be seen twice: one may have been on its way.
        if (threads > 1 && !unchanged) return now + second_look_after;
        if (!remote_.empty()) return now;  // from a thread that has ended since
        no_longer_stuck();
        raise_deadlock();
        return now + look_again_every;
    }
    if (now < suspicion_at_) return suspicion_at_;
    if (suspicion_at_ != timer_queue::never) {
        suspicion_at_ = timer_queue::never;  // said once
        fmt::print(stderr,
                   "coir: nothing is ready and nothing is due; unless another thread wakes one of these, it is "
                   "a deadlock:\n{}",
                   describe_fibers());
    }
    return now + look_again_every;
}

void hub_core::no_longer_stuck() noexcept {
    if (is_stuck_.exchange(false)) count_stuck(-1);
}

void hub_core::raise_deadlock() noexcept {
    const auto error = std::make_exception_ptr(
        deadlock(fmt::format("deadlock: nothing in this process can end these waits:\n{}", describe_fibers())));
    fiber_core& main = *thread_.main;
    const bool may_throw = main.is_interruptible(main.language.uncaught);
    if (may_throw && main.state() == fiber_state::parked && main.waiting->abandon()) {
        main.waiting->interrupt_with(error);
        make_ready(main);
    } else if (may_throw && main.state() == fiber_state::suspended) {
        message mail{{}, error};
        thread_.mail = &mail;
        main.set_state(fiber_state::running);
        loop_.set_state(fiber_state::queued);
        switch_context(thread_, main);
        reap(thread_);
    } else {
        report_unhandled("main", error);
        if (main.is_dead()) std::_Exit(70);  // the child of a fork in another fiber: nobody is left to go on
    }
}

}  // namespace coir::detail
