#include "hub/foreign_watch.hpp"

#include "base/syscall.hpp"

#include <coir/base/error.hpp>

#include <fcntl.h>

#include <cerrno>

namespace coir::detail {

/// The last to leave, however it leaves, takes the watch away.
struct foreign_watch::visit {
    explicit visit(foreign_watch& w) noexcept : watch(w) {
        ++watch.visitors_;
        ++watch.hub_.fd_waiters;
    }
    visit(const visit&) = delete;
    ~visit() {
        --watch.hub_.fd_waiters;
        if (--watch.visitors_ == 0) watch.hub_.foreign_watches.erase(watch.fd_);
    }

    foreign_watch& watch;
};

foreign_watch::foreign_watch(hub_core& hub, int fd) noexcept
    : hub_(hub), fd_(fd), key_((std::uint64_t{++hub.foreign_watches_made} << 32) | static_cast<std::uint32_t>(fd)) {}

foreign_watch::~foreign_watch() { hub_.events().remove_key(fd_); }

wake_reason foreign_watch::wait(int fd, std::uint32_t events, deadline limit) {
    hub_core& hub = hub_core::current();
    throw_if_interrupted();
    if (::fcntl(fd, F_GETFD) == -1) throw_system_error(errno, "waiting for", fd);
    auto& entry = hub.foreign_watches[fd];
    if (!entry) entry = std::make_unique<foreign_watch>(hub, fd);
    foreign_watch& watch = *entry;
    const visit present(watch);
    const int error = watch.ask_for(watch.wanted() | events);
    if (error == EPERM) return wake_reason::ready;
    if (error) throw_system_error(error, "epoll_ctl add", fd);
    const bool to_read = (events & EPOLLIN) != 0;
    waiter self({to_read ? "readable" : "writable", nullptr, fd});
    std::unique_lock lock(watch.lock_);
    return self.wait(to_read ? watch.readers_ : watch.writers_, lock, limit);
}

void foreign_watch::on_events(std::uint32_t events) noexcept {
    const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (failed || (events & EPOLLIN)) wake_first(readers_);
    if (failed || (events & EPOLLOUT)) wake_first(writers_);
    if (wanted() != 0) ask_for(wanted());
}

/// First come, first served: what one leaves, the next event tells the next.
void foreign_watch::wake_first(wait_queue& queue) noexcept {
    std::unique_lock lock(lock_);
    notify_one(queue, lock);
}

std::uint32_t foreign_watch::wanted() noexcept {
    return (readers_.empty() ? 0u : static_cast<std::uint32_t>(EPOLLIN)) |
           (writers_.empty() ? 0u : static_cast<std::uint32_t>(EPOLLOUT));
}

/// Every time: the number may be another file's since the last.
int foreign_watch::ask_for(std::uint32_t events) noexcept {
    poller& epoll = hub_.events();
    const int error = epoll.modify_key(fd_, events | EPOLLONESHOT, key_);
    return error == ENOENT ? epoll.add_key(fd_, events | EPOLLONESHOT, key_) : error;
}

}  // namespace coir::detail
