// A descriptor that somebody else owns, as long as fibers wait for it.
#pragma once

#include "hub/hub_core.hpp"

namespace coir::detail {

/// Registered only while somebody waits, and for one event at a time (EPOLLONESHOT): nothing is assumed about what is
/// read. Its owner may close the number, and even get it again for another file, while fibers wait: a registration
/// that can then no longer be removed fires once at most, and its key finds nobody. For its hub's thread.
class foreign_watch {
public:
    /// Waits until `fd` has one of `events` (EPOLLIN, EPOLLOUT), or an error or hang-up. A regular file, which epoll
    /// refuses, is always ready. Throws std::system_error for what is no descriptor.
    static wake_reason wait(int fd, std::uint32_t events, deadline limit);

    foreign_watch(hub_core& hub, int fd) noexcept;
    ~foreign_watch();
    foreign_watch(const foreign_watch&) = delete;

    void on_events(std::uint32_t events) noexcept;

    std::uint64_t key() const noexcept { return key_; }
    static int fd_of(std::uint64_t key) noexcept { return static_cast<int>(key & 0xffff'ffff); }

private:
    struct visit;

    int ask_for(std::uint32_t events) noexcept;
    std::uint32_t wanted() noexcept;
    void wake_first(wait_queue& queue) noexcept;

    hub_core& hub_;
    const int fd_;
    const std::uint64_t key_;  // the number, and which watch of it this is
    spinlock lock_;
    wait_queue readers_;
    wait_queue writers_;
    int visitors_ = 0;
};

}  // namespace coir::detail
