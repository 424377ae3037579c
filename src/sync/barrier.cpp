#include <coir/sync/barrier.hpp>

#include <coir/base/error.hpp>

#include <fmt/format.h>

namespace coir {

barrier::barrier(std::size_t expected, unique_function<void()> on_completion)
    : expected_(expected), pending_(expected), on_completion_(std::move(on_completion)) {
    if (expected == 0) throw fiber_error("a barrier that expects nobody");
}

std::uint64_t barrier::arrive_in_phase(std::size_t n) {
    std::unique_lock lock(lock_);
    const std::uint64_t phase = phase_;
    count_arrivals(lock, n);
    return phase;
}

void barrier::arrive_and_drop() {
    std::unique_lock lock(lock_);
    if (pending_ != 0) --expected_;
    count_arrivals(lock, 1);
}

void barrier::count_arrivals(std::unique_lock<detail::spinlock>& lock, std::size_t n) {
    if (n > pending_) {
        const std::size_t left = pending_;
        lock.unlock();
        throw fiber_error(fmt::format("{} arrive at a barrier that expects {} more", n, left));
    }
    pending_ -= n;
    if (pending_ == 0 && n != 0) complete(lock);
}

/// Nobody else arrives or goes on while the function runs, because nobody else is expected.
void barrier::complete(std::unique_lock<detail::spinlock>& lock) {
    struct open_gate {
        ~open_gate() {
            lock.lock();
            self.pending_ = self.expected_;
            ++self.phase_;
            detail::notify_all(self.waiting_, lock);
        }
        barrier& self;
        std::unique_lock<detail::spinlock>& lock;
    };
    lock.unlock();
    const open_gate at_end{*this, lock};
    if (on_completion_) on_completion_();
}

bool barrier::wait_until(std::uint64_t phase, deadline limit) {
    std::unique_lock lock(lock_);
    if (phase_ != phase) return true;
    detail::waiter self({"barrier", this});
    return self.wait(waiting_, lock, limit) == detail::wake_reason::ready;
}

}  // namespace coir
