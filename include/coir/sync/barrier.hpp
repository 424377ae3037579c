// <coir/sync/barrier.hpp>: a number of fibers that wait for one another, again and again.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/unique_function.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <cstddef>
#include <cstdint>

namespace coir {

/// As std::barrier: when all who are expected have arrived, the phase is complete and all go on. Any thread; a plain
/// thread blocks. Example: tests/sync/barrier_test.cpp
class barrier {
public:
    /// `on_completion` is called by the last to arrive, before anybody goes on: it may not suspend, and what it throws
    /// is thrown by that last arrival, with the phase complete all the same. fiber_error if nobody is expected.
    explicit barrier(std::size_t expected, unique_function<void()> on_completion = {});
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;

    /// The phase that an arrival belongs to.
    class arrival_token {
        friend class barrier;
        explicit arrival_token(std::uint64_t phase) noexcept : phase_(phase) {}
        std::uint64_t phase_;
    };

    /// Counts as arrived; does not suspend. fiber_error when more arrive than are expected.
    [[nodiscard]] arrival_token arrive(std::size_t n = 1) { return arrival_token(arrive_in_phase(n)); }
    /// Suspends until that phase is complete. A cancellation point: the arrival still counts.
    void wait(arrival_token token) { wait_until(token.phase_, deadline::never()); }
    /// False when the limit was first.
    bool wait_for(arrival_token token, time_span limit) { return wait_until(token.phase_, deadline::after(limit)); }
    void arrive_and_wait() { wait(arrive()); }
    /// Arrives, and is no longer expected in the phases to come.
    void arrive_and_drop();

private:
    std::uint64_t arrive_in_phase(std::size_t n);
    bool wait_until(std::uint64_t phase, deadline limit);
    void count_arrivals(std::unique_lock<detail::spinlock>& lock, std::size_t n);
    void complete(std::unique_lock<detail::spinlock>& lock);

    detail::spinlock lock_;
    std::size_t expected_;
    std::size_t pending_;
    std::uint64_t phase_ = 0;
    unique_function<void()> on_completion_;
    detail::wait_queue waiting_;
};

}  // namespace coir
