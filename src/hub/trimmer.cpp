#include "hub/trimmer.hpp"

#include "base/syscall.hpp"
#include "fiber/block_slabs.hpp"
#include "fiber/thread_state.hpp"
#include "hub/posted_function.hpp"

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

namespace coir::detail {

namespace {

constexpr long short_pause = 50'000'000;  // ns

// How many waiting fibers are looked at in one go, and how many stacks of the pool, at a system call and mostly a page
// each; and how many slabs of control blocks, of sixteen pages.
constexpr std::size_t most_at_once = 256, most_slabs_at_once = 32;

}  // namespace

trimmer::trimmer(thread_state& thread, poller& events, posted_function_store& posted)
    : thread_(thread), posted_(posted) {
    watch(events);
}

void trimmer::watch(poller& events) {
    alarm_.reset(sys.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!alarm_) throw_system_error(errno, "making the hub's timerfd");
    // Edge-triggered: what is set anew need not be read.
    if (const int error = events.add(alarm_.get(), EPOLLIN | EPOLLET, this)) {
        throw_system_error(error, "adding the hub's timerfd");
    }
}

void trimmer::after_fork(poller& events) {
    is_set_ = false;
    watch(events);
}

void trimmer::set(long nanoseconds) noexcept {
    itimerspec when{};
    when.it_value.tv_sec = nanoseconds / 1'000'000'000;
    when.it_value.tv_nsec = nanoseconds % 1'000'000'000;
    is_set_ = sys.timerfd_settime(alarm_.get(), 0, &when, nullptr) == 0;
}

void trimmer::begin_period() noexcept {
    thread_.blocks.trim();
    if (!posted_.was_used()) posted_.free_packs();
    unseen_ = std::exchange(has_run_, false) ? thread_.stacks.in_use() : 0;
}

void trimmer::on_events(std::uint32_t) noexcept {
    is_set_ = false;
    if (!is_at_it_) begin_period();
    const std::size_t now = std::min(unseen_, most_at_once);
    trim_waiting(now);
    unseen_ -= now;
    if (!is_at_it_ || are_stacks_left_) {
        std::size_t most = most_at_once;
        are_warm_left_ = thread_.stacks.trim(most);
        are_stacks_left_ = most == 0;
    }
    if (!is_at_it_ || are_slabs_left_) trim_slabs();
    is_at_it_ = unseen_ != 0 || are_stacks_left_ || are_slabs_left_;
    const bool is_more_to_come =
        are_warm_left_ || are_slabs_warm_ || has_run_ || thread_.blocks.bytes() != 0 || posted_.has_packs();
    if (is_at_it_ || is_more_to_come) set(is_at_it_ ? short_pause : period);
}

/// Nothing if another hub has done it: that one comes again as long as something is left.
void trimmer::trim_slabs() noexcept {
    block_slabs& slabs = control_block_slabs();
    const bool is_mine = are_slabs_left_ || slabs.is_due(steady_now(), period / 4 * 3);
    are_slabs_left_ = are_slabs_warm_ = false;
    if (!is_mine) return;
    std::size_t most = most_slabs_at_once;
    are_slabs_warm_ = slabs.trim(most);
    are_slabs_left_ = most == 0;
}

bool trimmer::trim() noexcept {
    trim_waiting(thread_.stacks.in_use());
    thread_.blocks.clear();
    posted_.free_packs();
    auto all = static_cast<std::size_t>(-1);
    const bool are_slabs_warm = control_block_slabs().trim(all);
    return thread_.stacks.trim() || are_slabs_warm;
}

void trimmer::trim_waiting(std::size_t most) noexcept {
    for (; most > 0 && !thread_.fibers.empty(); --most) {
        fiber_core& fiber = next_in_turn();
        if (&fiber != thread_.current && fiber.stack) stack_pool::trim_below(*fiber.stack, fiber.context);
    }
}

/// The first on the list, which goes to its end. Under the lock: another thread that tells a deadlock may be reading it.
fiber_core& trimmer::next_in_turn() noexcept {
    const std::lock_guard guard(thread_.graveyard_lock);
    fiber_core& fiber = *thread_.fibers.pop_front();
    thread_.fibers.push_back(fiber);
    return fiber;
}

}  // namespace coir::detail
