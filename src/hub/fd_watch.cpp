#include "hub/fd_watch.hpp"

#include "base/syscall.hpp"
#include "hub/waiter_inline.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <cerrno>

namespace coir::detail {

namespace {

// PRI, so that urgent data, which splits a read, is known of. RDHUP, so that an end that came with data is.
constexpr std::uint32_t all_events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t failed = EPOLLERR | EPOLLHUP;
constexpr std::uint32_t readable = EPOLLIN | EPOLLPRI | EPOLLRDHUP | failed;
constexpr std::uint32_t writable = EPOLLOUT | failed;
constexpr std::uint32_t more_than_data = EPOLLPRI | EPOLLRDHUP | failed;

/// Counts a fiber that waits for a descriptor as somebody whom the kernel may still wake.
struct counted_waiter {
    explicit counted_waiter(hub_core& h) noexcept : hub(h) { ++hub.fd_waiters; }
    counted_waiter(const counted_waiter&) = delete;
    ~counted_waiter() { --hub.fd_waiters; }

    hub_core& hub;
};

}  // namespace

void fd_watch::close_fd() noexcept { sys.close(fd_); }

wake_reason fd_watch::wait(direction d, deadline limit) {
    hub_core& hub = hub_core::current();
    std::unique_lock lock(lock_);
    if (is_closed()) return wake_reason::closed;
    if (home_ != &hub || home_generation_ != fork_generation()) bind(hub);
    if (may(d)) return wake_reason::ready;
    if (must_not_wait(hub.thread())) [[unlikely]] {
        lock.unlock();
        throw_if_interrupted();
    }
    const counted_waiter counted(hub);
    waiter self({d == direction::read ? "readable" : "writable", nullptr, fd_});
    will_wake(&self, hub.thread().current);
    return self.wait_unchecked(hub, waiters_[index(d)], *lock.release(), limit);
}

/// Under the lock. What became ready before is reported by the new registration.
void fd_watch::bind(hub_core& hub) {
    if (!waiters_[0].empty() || !waiters_[1].empty()) {
        throw fiber_error(
            fmt::format("fd {} is waited for on another thread's hub; a stream is for one hub at a time", fd_));
    }
    leave_home();
    if (const int error = hub.events().add(fd_, all_events, this)) throw_system_error(error, "epoll_ctl add", fd_);
    hub.add_ref();
    home_ = &hub;
    home_generation_ = fork_generation();
}

/// Under the lock. The former hub may be about to handle an event for this object: it keeps it alive until its loop
/// has come round.
void fd_watch::leave_home() noexcept {
    hub_core* home = std::exchange(home_, nullptr);
    if (!home) return;
    const bool is_registered = home_generation_ == fork_generation();
    if (is_registered) home->events().remove(fd_);
    if (is_registered && home != hub_core::of_this_thread()) {
        struct farewell final : remote_item {
            explicit farewell(fd_watch& w) noexcept : watch(&w) {}
            void run_on_hub(hub_core&) noexcept override { delete this; }
            void drop() noexcept override { delete this; }
            ref<fd_watch> watch;
        };
        auto* item = new (std::nothrow) farewell(*this);
        if (item && !home->send(*item)) item->drop();
        if (!item) add_ref();  // leaked rather than freed under the other hub's eyes
    }
    home->drop_ref();
}

void fd_watch::close() noexcept {
    if (users_.fetch_or(closed_bit, std::memory_order_acq_rel) & closed_bit) return;
    std::unique_lock lock(lock_);
    leave_home();
    waiters_[0].splice_back(waiters_[1]);
    notify_all(waiters_[0], lock, wake_reason::closed);
    leave();
}

void fd_watch::on_events(std::uint32_t events) noexcept {
    std::unique_lock lock(lock_);
    if (home_ != hub_core::of_this_thread()) return;  // it has moved on: its new hub hears the same
    more_to_read_.store((events & more_than_data) != 0, std::memory_order_relaxed);
    // All of them: what one leaves unread, or the end that each must see, brings no further edge.
    taken_nodes woken;
    if (events & readable) {
        try_again(direction::read);
        woken.take_all(waiters_[index(direction::read)]);
    }
    if (events & writable) {
        try_again(direction::write);
        woken.take_all(waiters_[index(direction::write)]);
    }
    lock.unlock();
    woken.notify(wake_reason::ready);
}

}  // namespace coir::detail
