// A descriptor that coir owns, as the hub watches it.
#pragma once

#include "hub/hub_core.hpp"

#include <coir/base/ref.hpp>

#include <atomic>
#include <mutex>

namespace coir::detail {

enum class direction : bool { read, write };

/// Registered once, edge-triggered, for both directions, with the hub of its first wait; moves to another hub when
/// nobody waits on it. `may(d)` is false only if the last attempt found the socket not ready, or drained it, and no
/// event has come since. An operation is: not_ready, enter, make the call, leave; then try_again if there may be more,
/// or wait. In this order, so that an event that comes during the call is not forgotten.
///
/// Shared by its stream and, for a while, by a hub that it has left: that hub may still hold an event for it.
class fd_watch final : public poll_target {
public:
    static ref<fd_watch> make(int fd) { return ref<fd_watch>::adopt(new fd_watch(fd)); }

    /// The descriptor stays open until leave(). False when it is closed.
    bool enter() noexcept {
        std::uint32_t users = users_.load(std::memory_order_relaxed);
        do {
            if (users & closed_bit) return false;
        } while (!users_.compare_exchange_weak(users, users + 1, std::memory_order_acquire, std::memory_order_relaxed));
        return true;
    }
    void leave() noexcept {
        if (users_.fetch_sub(1, std::memory_order_acq_rel) == (closed_bit | 1)) [[unlikely]]
            close_fd();
    }

    int fd() const noexcept { return fd_; }
    bool is_closed() const noexcept { return (users_.load(std::memory_order_acquire) & closed_bit) != 0; }

    bool may(direction d) const noexcept { return ready_[index(d)].load(std::memory_order_relaxed); }
    void not_ready(direction d) noexcept { ready_[index(d)].store(false, std::memory_order_relaxed); }
    void try_again(direction d) noexcept { ready_[index(d)].store(true, std::memory_order_relaxed); }
    /// A call that did less than it was asked for has drained the socket, or filled it; but a short read has not, when
    /// the last event said more than that there is data: urgent data splits reads, and an end or error is still to
    /// be read.
    bool is_drained_by_short(direction d) const noexcept {
        return d == direction::write || !more_to_read_.load(std::memory_order_relaxed);
    }

    /// Waits until it may be ready: ready, timed_out or closed. Throws what interrupts the fiber, fiber_error while
    /// fibers of another hub wait on it, and std::system_error when the kernel refuses to watch it.
    wake_reason wait(direction d, deadline limit);

    /// Wakes all waiters with `closed`, deregisters it, then frees the number. Any thread; again is nothing.
    void close() noexcept;

    void add_ref() noexcept { refs_.add(); }
    void drop_ref() noexcept {
        if (!refs_.drop()) return;
        close();  // its hub may take a reference for a while
        if (refs_.drop()) delete this;
    }

    void on_events(std::uint32_t events) noexcept override;

private:
    explicit fd_watch(int fd) noexcept : fd_(fd) {}
    ~fd_watch() = default;

    static constexpr std::uint32_t closed_bit = 1u << 31;
    static constexpr std::size_t index(direction d) noexcept { return static_cast<std::size_t>(d); }

    void bind(hub_core& hub);
    void close_fd() noexcept;
    void leave_home() noexcept;

    const int fd_;
    ref_count refs_;
    std::atomic<std::uint32_t> users_{1};  // those inside a call, and one for being open; closed_bit
    std::atomic<bool> ready_[2]{true, true};
    std::atomic<bool> more_to_read_{false};

    spinlock lock_;  // guards all below
    wait_queue waiters_[2];
    hub_core* home_ = nullptr;           // counted
    std::uint32_t home_generation_ = 0;  // fork_generation() when it was registered
};

}  // namespace coir::detail
