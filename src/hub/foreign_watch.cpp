#include "hub/foreign_watch.hpp"

#include "base/syscall.hpp"

#include <coir/base/error.hpp>

#include <fcntl.h>

#include <cerrno>

namespace coir::detail {

wake_reason foreign_watch::wait(int fd, std::uint32_t events, deadline limit) {
    hub_core& hub = hub_core::current();
    throw_if_interrupted();
    if (::fcntl(fd, F_GETFD) == -1) throw_system_error(errno, "waiting for", fd);
    auto& entry = hub.foreign_watches[fd];
    if (!entry) entry = std::make_unique<foreign_watch>(hub, fd);
    foreign_watch& watch = *entry;
    struct leaver {  // the last to leave, however it leaves, takes the watch away
        foreign_watch& watch;
        hub_core& hub;
        ~leaver() {
            --hub.fd_waiters;
            watch.update_interest();
            if (watch.is_unused()) hub.foreign_watches.erase(watch.fd_);
        }
    };
    ++hub.fd_waiters;
    const leaver at_end{watch, hub};
    const bool to_read = (events & EPOLLIN) != 0;
    const std::uint32_t wanted = watch.registered_ | events;
    if (wanted != watch.registered_) {
        const int error = watch.register_for(wanted);
        if (error == EPERM) return wake_reason::ready;
        if (error) throw_system_error(error, "epoll_ctl add", fd);
    }
    waiter self({to_read ? "readable" : "writable", nullptr, fd});
    std::unique_lock lock(watch.lock_);
    return self.wait(to_read ? watch.readers_ : watch.writers_, lock, limit);
}

void foreign_watch::on_events(std::uint32_t events) noexcept {
    const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (failed || (events & EPOLLIN)) wake_first(readers_);
    if (failed || (events & EPOLLOUT)) wake_first(writers_);
    update_interest();
}

/// First come, first served: whom it does not suffice for, the next round will wake.
void foreign_watch::wake_first(wait_queue& queue) noexcept {
    std::unique_lock lock(lock_);
    notify_one(queue, lock);
}

/// Asks the kernel for no more than somebody waits for.
int foreign_watch::update_interest() noexcept {
    std::uint32_t wanted = 0;
    if (!readers_.empty()) wanted |= EPOLLIN;
    if (!writers_.empty()) wanted |= EPOLLOUT;
    if (wanted == registered_) return 0;
    if (wanted != 0) return register_for(wanted);
    deregister();
    return 0;
}

int foreign_watch::register_for(std::uint32_t events) noexcept {
    poller& epoll = hub_.events();
    const int number = duplicate_ ? duplicate_.get() : fd_;
    int error = registered_ ? epoll.modify(number, events, this) : ENOENT;
    // ENOENT: the number was closed behind our back and is another file's now.
    if (error == ENOENT) error = epoll.add(number, events, this);
    if (error == EEXIST && !duplicate_) {
        duplicate_.reset(::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
        error = duplicate_ ? epoll.add(duplicate_.get(), events, this) : errno;
    }
    if (error == 0) registered_ = events;
    return error;
}

void foreign_watch::deregister() noexcept {
    if (registered_) hub_.events().remove(duplicate_ ? duplicate_.get() : fd_);
    registered_ = 0;
    duplicate_.reset();
}

}  // namespace coir::detail
