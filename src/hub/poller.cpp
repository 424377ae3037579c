// Some facts about epoll that decide this file and fd_watch:
// - An entry belongs to the open file, not to the number: closing the number while a duplicate lives keeps it, and
//   it can then no longer be removed. So an entry is removed before its number is closed.
// - epoll_wait counts in milliseconds; epoll_pwait2 in nanoseconds, where the kernel has it (5.11).
// - A full eventfd counter gives EAGAIN: the wake is already under way.
#include "hub/poller.hpp"

#include "base/syscall.hpp"

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>

namespace coir::detail {

namespace {

constexpr int batch_size = 256;

// Stand for the descriptors that have no target. A target's address is aligned, and never one of them.
constexpr std::uint64_t wake_mark = 1;
constexpr std::uint64_t alarm_mark = 2;
constexpr std::uint64_t keyed_mark = 3;
constexpr std::uint64_t last_mark = keyed_mark;

int control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t data) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    return sys.epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : errno;
}

std::uint64_t as_data(poll_target* target) noexcept { return reinterpret_cast<std::uintptr_t>(target); }

timespec from_nanoseconds(std::int64_t ns) noexcept { return {ns / 1'000'000'000, ns % 1'000'000'000}; }

int wait_in_milliseconds(int epoll, epoll_event* events, std::int64_t span) noexcept {
    constexpr std::int64_t most = std::numeric_limits<int>::max();
    const std::int64_t ms = span < 0 ? -1 : std::min((span + 999'999) / 1'000'000, most);
    return ::epoll_wait(epoll, events, batch_size, static_cast<int>(ms));
}

/// Fetches what a batch will touch, for all of it at once: each handler takes a lock, and no processor looks beyond that
/// for what it could fetch meanwhile.
void prefetch_targets(const epoll_event* events, int n) noexcept {
    for (int i = 0; i < n; ++i) {
        const auto* target = reinterpret_cast<const char*>(events[i].data.u64);
        __builtin_prefetch(target);
        __builtin_prefetch(target + 64);
    }
    for (int i = 0; i < n; ++i) {
        if (events[i].data.u64 > last_mark) reinterpret_cast<const poll_target*>(events[i].data.u64)->prefetch_woken();
    }
}

/// `span` in nanoseconds, negative for no limit.
int wait_for_events(int epoll, epoll_event* events, std::int64_t span) noexcept {
    static std::atomic<bool> has_nanoseconds{true};
    if (has_nanoseconds) {
        const timespec limit = from_nanoseconds(std::max<std::int64_t>(span, 0));
        const int n = sys.epoll_pwait2(epoll, events, batch_size, span < 0 ? nullptr : &limit, nullptr);
        if (n >= 0 || errno != ENOSYS) return n;
        has_nanoseconds = false;
    }
    return wait_in_milliseconds(epoll, events, span);
}

}  // namespace

poller::poller()
    : epoll_(sys.epoll_create1(EPOLL_CLOEXEC)),
      keyed_(sys.epoll_create1(EPOLL_CLOEXEC)),
      wake_(sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !keyed_ || !wake_) throw_system_error(errno, "making the hub's epoll set");
    int error = control(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), EPOLLIN, wake_mark);
    if (!error) error = control(epoll_.get(), EPOLL_CTL_ADD, keyed_.get(), EPOLLIN, keyed_mark);
    if (error) throw_system_error(error, "filling the hub's epoll set");
}

int poller::add(int fd, std::uint32_t events, poll_target* target) noexcept {
    return control(epoll_.get(), EPOLL_CTL_ADD, fd, events, as_data(target));
}

int poller::add_key(int fd, std::uint32_t events, std::uint64_t key) noexcept {
    return control(keyed_.get(), EPOLL_CTL_ADD, fd, events, key);
}

int poller::modify_key(int fd, std::uint32_t events, std::uint64_t key) noexcept {
    return control(keyed_.get(), EPOLL_CTL_MOD, fd, events, key);
}

int poller::remove_key(int fd) noexcept { return control(keyed_.get(), EPOLL_CTL_DEL, fd, 0, 0); }

void poller::take_keyed(keyed_events& keyed) noexcept {
    epoll_event events[batch_size];
    const int n = wait_for_events(keyed_.get(), events, 0);
    for (int i = 0; i < n; ++i) keyed.on_key(events[i].data.u64, events[i].events);
}

int poller::remove(int fd) noexcept { return control(epoll_.get(), EPOLL_CTL_DEL, fd, 0, 0); }

int poller::wait(std::int64_t due, keyed_events& keyed) noexcept {
    std::int64_t span = -1;
    if (due != std::numeric_limits<std::int64_t>::max()) {
        span = due == 0 ? 0 : std::max<std::int64_t>(due - steady_now(), 0);
    }
    epoll_event events[batch_size];
    const int n = wait_for_events(epoll_.get(), events, span);  // EINTR: the loop comes round again
    prefetch_targets(events, n);
    for (int i = 0; i < n; ++i) {
        const std::uint64_t data = events[i].data.u64;
        if (data == wake_mark) {
            drain(wake_.get());
        } else if (data == alarm_mark) {
            drain(alarm_.get());
        } else if (data == keyed_mark) {
            take_keyed(keyed);
        } else {
            reinterpret_cast<poll_target*>(data)->on_events(events[i].events);
        }
    }
    return std::max(n, 0);
}

void poller::wake() noexcept {
    const std::uint64_t one = 1;
    (void)!sys.write(wake_.get(), &one, sizeof one);
}

void poller::alarm(std::int64_t due) noexcept {
    if (!alarm_) {
        alarm_.reset(sys.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        if (!alarm_ || control(epoll_.get(), EPOLL_CTL_ADD, alarm_.get(), EPOLLIN, alarm_mark) != 0) return;
    }
    itimerspec when{};
    // Zero would disarm it.
    if (due != std::numeric_limits<std::int64_t>::max())
        when.it_value = from_nanoseconds(std::max<std::int64_t>(due, 1));
    sys.timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void poller::drain(int fd) noexcept {
    std::uint64_t count;
    (void)!sys.read(fd, &count, sizeof count);
}

}  // namespace coir::detail
