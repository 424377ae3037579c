// Gives memory back that fibers do not use: the pages of stacks that have lain idle in the pool, those that a waiting
// fiber has left below its frames, those of control blocks, and what is kept to be used again.
#pragma once

#include "hub/poller.hpp"

#include <coir/base/unique_fd.hpp>

#include <cstddef>
#include <cstdint>

namespace coir::detail {

class fiber_core;
class posted_function_store;
class thread_state;

/// Begins with it every two seconds, as long as fibers run or something is left, and does it in parts that nobody who
/// is busy notices. The time comes from a timerfd, so that neither a switch nor a sleep of the hub costs anything for it.
class trimmer final : private poll_target {
public:
    /// Throws std::system_error.
    trimmer(thread_state& thread, poller& events, posted_function_store& posted);
    trimmer(const trimmer&) = delete;

    /// By the loop, in each round.
    void fibers_ran() noexcept {
        has_run_ = true;
        arm();
    }
    /// When there is another pack of posted functions.
    void posts_are_kept() noexcept { arm(); }

    /// All of it, but for the current fiber's. True if something is left for a second call: what was used since the
    /// last one.
    bool trim() noexcept;

    /// In the child of a fork.
    void after_fork(poller& events);

private:
    static constexpr long period = 2'000'000'000;  // ns

    void on_events(std::uint32_t events) noexcept override;
    void watch(poller& events);
    void arm() noexcept {
        if (!is_set_) [[unlikely]]
            set(period);
    }
    void set(long nanoseconds) noexcept;
    void begin_period() noexcept;
    void trim_slabs() noexcept;
    void trim_waiting(std::size_t most) noexcept;
    fiber_core& next_in_turn() noexcept;

    thread_state& thread_;
    posted_function_store& posted_;
    unique_fd alarm_;
    bool is_set_ = false;
    bool has_run_ = false;    // since the last alarm
    bool is_at_it_ = false;   // some of what this period has begun with is left:
    std::size_t unseen_ = 0;  // fibers to look at, of those that have a stack,
    bool are_stacks_left_ = false;
    bool are_slabs_left_ = false;
    bool are_warm_left_ = false;  // for the next period
    bool are_slabs_warm_ = false;
};

}  // namespace coir::detail
