// Two calls of the seam make the time that hubs see: reading the clock, and waiting in epoll until a time. A wait that
// would have to last is entered in a list; when all hubs stand there and no helper works, the clock jumps to the
// earliest of them. Until then they look every millisecond of real time whether it is their turn. Waits that are for no
// timer, but for the hub's own looks around, last as long as they really do.
#include <coir/testing/virtual_clock.hpp>

#include "base/syscall.hpp"
#include "hub/deadlock.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <list>
#include <mutex>

namespace coir::testing {

using detail::sys;

namespace {

constexpr std::int64_t second = 1'000'000'000;  // ns
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

struct shared_time {
    std::int64_t start = 0;
    std::atomic<std::int64_t> now{0};
    virtual_clock::jumps jumps{};
    std::mutex mutex;
    struct sleep {
        std::int64_t due;
        bool is_of_helper;  // a job that uses coir
    };
    std::list<sleep> sleepers;  // the hubs that sleep
};

/// None while time is real. Once put in place the two calls stay there, and what they may be looking at is not freed:
/// an idle thread of a pool may be reading the clock when the virtual one ends.
std::atomic<shared_time*> current_time{nullptr};
detail::system_calls real_calls;
std::list<shared_time>& all_times = *new std::list<shared_time>;

int read_clock(clockid_t clock, timespec* out) noexcept {
    const shared_time* the_time = current_time;
    if (!the_time || clock != CLOCK_MONOTONIC) return real_calls.clock_gettime(clock, out);
    const std::int64_t now = the_time->now;
    *out = {now / second, now % second};
    return 0;
}

std::int64_t real_now() noexcept {
    timespec now{};
    real_calls.clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second + now.tv_nsec;
}

/// How many hubs there are; none to be counted on while one has mail, which it will wake up for.
std::size_t count_hubs() {
    std::size_t hubs = 0;
    bool has_mail = false;
    detail::for_each_thread([&](detail::thread_state& thread) {
        ++hubs;
        has_mail |= static_cast<detail::hub_core*>(thread.sched)->has_mail();
    });
    return has_mail ? std::numeric_limits<std::size_t>::max() : hubs;
}

/// A hub that sleeps, while it does.
class sleeper {
public:
    sleeper(shared_time* time, std::int64_t due) : the_time(time) {
        const std::lock_guard guard(the_time->mutex);
        const bool is_of_helper = detail::waits_as == detail::stuck_kind::job;
        self_ = the_time->sleepers.insert(the_time->sleepers.end(), {due, is_of_helper});
    }
    sleeper(const sleeper&) = delete;
    ~sleeper() {
        const std::lock_guard guard(the_time->mutex);
        the_time->sleepers.erase(self_);
    }
    bool is_due() const noexcept { return self_->due <= the_time->now; }

private:
    shared_time* const the_time;
    std::list<shared_time::sleep>::iterator self_;
};

void jump_if_all_sleep(shared_time* the_time) {
    if (the_time->jumps == virtual_clock::jumps::never) return;
    const std::lock_guard guard(the_time->mutex);
    const auto& all = the_time->sleepers;
    const auto of_helpers = std::count_if(all.begin(), all.end(), [](auto& one) { return one.is_of_helper; });
    if (all.size() < count_hubs() || detail::helper_job::count() > of_helpers) return;
    const auto by_due = [](auto& a, auto& b) { return a.due < b.due; };
    const std::int64_t next = std::min_element(all.begin(), all.end(), by_due)->due;
    if (next != never && next > the_time->now) the_time->now = next;
}

int wait_in_epoll(int epoll, epoll_event* events, int room, const timespec* limit, const sigset_t* mask) noexcept {
    constexpr timespec no_time{};
    constexpr timespec slice{0, 1'000'000};
    const auto& real_wait = real_calls.epoll_pwait2;
    shared_time* the_time = current_time;
    if (!the_time) return real_wait(epoll, events, room, limit, mask);
    if (const int n = real_wait(epoll, events, room, &no_time, mask); n != 0) return n;
    const std::int64_t span = limit ? limit->tv_sec * second + limit->tv_nsec : never;
    if (span == 0) return 0;
    const std::int64_t next_timer = detail::hub_core::current().timers().next_due();
    const bool is_for_timer = limit && next_timer <= the_time->now + span;
    const std::int64_t real_end = limit && !is_for_timer ? real_now() + span : never;
    const sleeper self(the_time, next_timer);
    for (;;) {
        if (current_time != the_time) return 0;  // it has ended: real time again
        jump_if_all_sleep(the_time);
        if (self.is_due() || (real_end != never && real_now() >= real_end)) return 0;
        if (const int n = real_wait(epoll, events, room, &slice, mask); n != 0) return n;
    }
}

}  // namespace

virtual_clock::virtual_clock(jumps when) {
    if (current_time) throw fiber_error("there is a virtual_clock already, and one process has one time");
    detail::hub_core::current();
    shared_time& made = all_times.emplace_back();
    made.jumps = when;
    made.now = made.start = detail::steady_now();
    if (sys.clock_gettime != read_clock) {
        real_calls = sys;
        sys.clock_gettime = read_clock;
        sys.epoll_pwait2 = wait_in_epoll;
    }
    current_time = &made;
}

virtual_clock::~virtual_clock() {
    current_time = nullptr;
    detail::hub_core::current().timers().turn_back();
}

std::chrono::nanoseconds virtual_clock::elapsed() const noexcept {
    const shared_time& time = *current_time.load();
    return std::chrono::nanoseconds(time.now - time.start);
}

void virtual_clock::advance(time_span span) noexcept { current_time.load()->now += span.count().count(); }

}  // namespace coir::testing
