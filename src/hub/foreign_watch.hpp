// A descriptor that somebody else owns, as long as fibers wait for it.
#pragma once

#include "hub/hub_core.hpp"

#include <coir/base/unique_fd.hpp>

namespace coir::detail {

/// Level-triggered, and registered only while somebody waits: nothing is assumed about what is read, and nothing is
/// left behind for the owner's close to trip over. For its hub's thread.
class foreign_watch final : public poll_target {
public:
    /// Waits until `fd` has one of `events` (EPOLLIN, EPOLLOUT), or an error or hang-up. A regular file, which epoll
    /// refuses, is always ready. Throws std::system_error for what is no descriptor.
    static wake_reason wait(int fd, std::uint32_t events, deadline limit);

    void on_events(std::uint32_t events) noexcept override;

    foreign_watch(hub_core& hub, int fd) noexcept : hub_(hub), fd_(fd) {}
    ~foreign_watch() { deregister(); }
    foreign_watch(const foreign_watch&) = delete;

private:
    int update_interest() noexcept;
    int register_for(std::uint32_t events) noexcept;
    void deregister() noexcept;
    bool is_unused() noexcept { return readers_.empty() && writers_.empty(); }
    void wake_first(wait_queue& queue) noexcept;

    hub_core& hub_;
    const int fd_;
    unique_fd duplicate_;  // stands in for a number that is registered already, by coir itself
    std::uint32_t registered_ = 0;
    spinlock lock_;
    wait_queue readers_;
    wait_queue writers_;
};

}  // namespace coir::detail
