// A hub is stuck when nothing is ready, no timer runs and nobody waits for a descriptor; a plain thread, in a wait
// without a limit. If all threads of the process are stuck, or coir's idle helpers, nobody is left to wake anybody:
// that is a deadlock. The kernel's count of threads decides; where it has more than coir knows of, one of them might
// still act, and the hub only says once what it looks like, and looks again later.
//
// Told is, by a throw out of its wait: a job of a thread pool, if one is among the stuck; else the main fiber of a hub
// that is not one of a pool's; else, where there is no such hub, the process's main thread.
#include "hub/deadlock.hpp"

#include "base/syscall.hpp"
#include "fiber/switch.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>
#include <coir/base/unique_fd.hpp>

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <utility>

namespace coir::detail {

constinit thread_local stuck_kind waits_as = stuck_kind::plain_thread;

namespace {

constexpr std::int64_t second_look_after = 20'000'000;    // ns
constexpr std::int64_t report_after = 2'000'000'000;      // ns
constexpr std::int64_t look_again_every = 5'000'000'000;  // ns

struct census {
    std::atomic<int> hubs{0};
    std::array<std::atomic<int>, 4> stuck{};  // by kind
    std::atomic<int> helper_jobs{0};
    /// Changes whenever one of them gets going again: what was seen before it does not count.
    std::atomic<std::uint64_t> awakenings{0};

    std::atomic<int>& of(stuck_kind kind) noexcept { return stuck[static_cast<std::size_t>(kind)]; }
    int all_stuck() const noexcept { return std::accumulate(stuck.begin(), stuck.end(), 0); }
};
constinit census people;

/// Held while one deadlock is told, so that it is told once.
constinit spinlock telling;

/// The kernel's count; a large number if it cannot be read.
int threads_in_process() noexcept {
    char text[4096];
    const unique_fd file(sys.open("/proc/self/status", O_RDONLY | O_CLOEXEC));  // `stat` looks at each thread
    const ssize_t size = file ? sys.read(file.get(), text, sizeof text - 1) : 0;
    text[std::max<ssize_t>(size, 0)] = '\0';
    const char* line = std::strstr(text, "\nThreads:");
    int count;
    const bool is_read = line && std::sscanf(line, "\nThreads: %d", &count) == 1;
    return is_read ? count : 1 << 30;
}

bool nobody_is_left() noexcept { return people.all_stuck() >= threads_in_process(); }

/// Of all hubs but one. Only while all are stuck: then nobody touches what is read.
std::string describe_other_hubs(const hub_core* except) {
    std::string text;
    for_each_thread([&](thread_state& thread) {
        auto* hub = static_cast<hub_core*>(thread.sched);
        if (hub && hub != except) text += "  on another hub:\n" + hub->describe_fibers();
    });
    return text;
}

}  // namespace

void count_stuck(stuck_kind kind, int change) noexcept {
    people.of(kind) += change;
    if (change < 0) ++people.awakenings;
}

void count_hub(int change) noexcept {
    people.hubs += change;
    ++people.awakenings;
}

helper_job::helper_job() noexcept { ++people.helper_jobs; }

helper_job::~helper_job() {
    if (counts_) --people.helper_jobs;
}

int helper_job::count() noexcept { return people.helper_jobs; }

void forget_stuck_threads(bool has_hub) noexcept {
    people.hubs = has_hub ? 1 : 0;
    for (auto& count : people.stuck) count = 0;
    people.helper_jobs = 0;
    telling.reset();
}

lookout::sight lookout::look() noexcept {
    const std::uint64_t seen = people.awakenings;
    const bool unchanged = saw_nobody_ && seen == awakenings_;
    awakenings_ = seen;
    const int threads = threads_in_process();
    saw_nobody_ = people.all_stuck() >= threads;
    if (saw_nobody_) return unchanged || threads == 1 ? sight::deadlock : sight::nobody;
    return people.of(stuck_kind::hub) >= people.hubs && people.helper_jobs == 0 ? sight::outsiders : sight::busy;
}

void ask_hubs_to_look() noexcept {
    for_each_thread([](thread_state& thread) {
        auto* hub = static_cast<hub_core*>(thread.sched);
        if (hub && !hub->serves_a_pool) hub->look_around();
    });
}

std::string deadlock_of_plain_thread(const std::string& waits_for) {
    const std::lock_guard guard(telling);
    if (!nobody_is_left()) return {};
    bool hub_can_be_told = false;
    for_each_thread([&](thread_state& thread) {
        auto* hub = static_cast<hub_core*>(thread.sched);
        hub_can_be_told |= hub && !hub->serves_a_pool;
    });
    const bool is_main_thread = ::gettid() == ::getpid();
    const bool another_first = hub_can_be_told || people.of(stuck_kind::job) != 0 || !is_main_thread;
    if (waits_as != stuck_kind::job && another_first) return {};
    return fmt::format(
        "deadlock: nothing in this process can end these waits:\n  a thread without fibers waits for {}\n{}", waits_for,
        describe_other_hubs(nullptr));
}

/// The hub has nothing to do and nothing to wait for. Says until when to sleep.
std::int64_t hub_core::look_for_deadlock() noexcept {
    const std::int64_t now = steady_now();
    if (!is_stuck_) {
        is_stuck_ = true;  // who sends something from here on counts it out
        const bool has_come = !remote_.empty();
        if (!has_come || !is_stuck_.exchange(false)) count_stuck(stuck_kind::hub, +1);
        if (has_come) return now;
        lookout_ = {};
        if (suspicion_at_ != timer_queue::never) suspicion_at_ = now + report_after;
    }
    switch (lookout_.look()) {
        case lookout::sight::nobody:
            return now + second_look_after;
        case lookout::sight::deadlock:
            return tell_deadlock(now);
        case lookout::sight::busy:
            if (suspicion_at_ != timer_queue::never) suspicion_at_ = now + report_after;
            return now + report_after;
        default:
            return tell_suspicion(now);
    }
}

std::int64_t hub_core::tell_deadlock(std::int64_t now) noexcept {
    if (!remote_.empty()) return now;  // from a thread that has ended since
    if (people.of(stuck_kind::job) != 0) return now + second_look_after;
    if (serves_a_pool) {
        ask_hubs_to_look();
        return now + look_again_every;
    }
    std::string text;
    {
        const std::lock_guard guard(telling);
        if (!nobody_is_left()) return now + second_look_after;
        text =
            "deadlock: nothing in this process can end these waits:\n" + describe_fibers() + describe_other_hubs(this);
        no_longer_stuck();
    }
    raise_deadlock(text);
    return now + look_again_every;
}

/// Once.
std::int64_t hub_core::tell_suspicion(std::int64_t now) noexcept {
    if (now < suspicion_at_) return suspicion_at_;
    if (suspicion_at_ != timer_queue::never && !serves_a_pool) {
        suspicion_at_ = timer_queue::never;
        fmt::print(stderr,
                   "coir: nothing is ready and nothing is due; unless another thread wakes one of these, it is "
                   "a deadlock:\n{}",
                   describe_fibers());
    }
    return now + look_again_every;
}

void hub_core::no_longer_stuck() noexcept {
    if (is_stuck_.exchange(false)) count_stuck(stuck_kind::hub, -1);
}

void hub_core::look_around() noexcept {
    no_longer_stuck();
    is_nudged_ = true;
    poller_->wake();
}

void hub_core::raise_deadlock(const std::string& text) noexcept {
    const auto error = std::make_exception_ptr(deadlock(text));
    fiber_core& main = *thread_.main;
    const bool may_throw = main.is_interruptible(main.language.uncaught);
    if (may_throw && main.state() == fiber_state::parked && main.waiting->abandon()) {
        main.waiting->interrupt_with(error);
        make_ready(main);
    } else if (may_throw && main.state() == fiber_state::suspended) {
        thread_.last_words = {};
        thread_.mail = &thread_.last_words;
        thread_.mail_error = error;
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
