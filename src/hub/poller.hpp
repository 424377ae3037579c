// epoll, as one hub uses it.
#pragma once

#include <coir/base/unique_fd.hpp>

#include <atomic>
#include <cstdint>

namespace coir::detail {

/// What an event is for. Must live until the batch in which its event may come is over: see fd_watch.
class poll_target {
public:
    /// On the hub's thread, on the loop's stack, before any fiber runs.
    virtual void on_events(std::uint32_t events) noexcept = 0;

    /// Fetches what on_events will touch of the fiber that it wakes, and what that fiber will of its stack: the registers
    /// below its waiter, and the functions above that wait for input, up to the start of their buffer. How much that is
    /// has been measured.
    void prefetch_woken() const noexcept {
        constexpr int registers = 96, lines = 8;
        const char* waiter = static_cast<const char*>(waiter_.load(std::memory_order_relaxed));
        if (!waiter) return;
        for (int line = 0; line < lines; ++line) __builtin_prefetch(waiter - registers + line * 64);
        __builtin_prefetch(fiber_.load(std::memory_order_relaxed));
    }

protected:
    ~poll_target() = default;
    /// The latest to wait. Only a hint: it may have gone when the event comes.
    void will_wake(const void* waiter, const void* fiber) noexcept {
        waiter_.store(waiter, std::memory_order_relaxed);
        fiber_.store(fiber, std::memory_order_relaxed);
    }

private:
    std::atomic<const void*> waiter_{nullptr};
    std::atomic<const void*> fiber_{nullptr};
};

/// Gets the events of descriptors that coir does not own: by key, because who asked may be gone when they come.
class keyed_events {
public:
    virtual void on_key(std::uint64_t key, std::uint32_t events) noexcept = 0;

protected:
    ~keyed_events() = default;
};

class poller {
public:
    /// Throws std::system_error.
    poller();

    /// epoll_ctl; returns 0 or an errno value. Any thread.
    int add(int fd, std::uint32_t events, poll_target* target) noexcept;
    int remove(int fd) noexcept;

    /// The same for a descriptor that coir does not own. Those are in a set of their own, so that a number that is
    /// closed and comes back as one of coir's cannot be confused with it.
    int add_key(int fd, std::uint32_t events, std::uint64_t key) noexcept;
    int modify_key(int fd, std::uint32_t events, std::uint64_t key) noexcept;
    int remove_key(int fd) noexcept;

    /// Waits until `due` (nanoseconds of the steady clock, 0 for not at all), an event or a wake(), and hands the
    /// events to their targets. How many there were.
    int wait(std::int64_t due, keyed_events& keyed) noexcept;

    /// Ends a wait. Any thread.
    void wake() noexcept;

    /// Makes fd() readable at `due`, for a loop that embeds this one.
    void alarm(std::int64_t due) noexcept;

    int fd() const noexcept { return epoll_.get(); }

private:
    void drain(int fd) noexcept;
    void take_keyed(keyed_events& keyed) noexcept;

    unique_fd epoll_;
    unique_fd keyed_;  // an epoll set inside the other
    unique_fd wake_;
    unique_fd alarm_;
};

}  // namespace coir::detail
