// <coir/sync/once.hpp>: doing something exactly once, whoever comes first.
#pragma once

#include <coir/hub/detail/waiter.hpp>

#include <atomic>
#include <functional>
#include <utility>

namespace coir {

/// As std::once_flag, and the function may suspend: std::call_once, and function-local statics, deadlock or abort when
/// one fiber of a thread suspends inside and another comes. Any thread; a plain thread blocks.
/// Example: tests/sync/once_test.cpp
class once {
public:
    once() noexcept = default;
    once(const once&) = delete;
    once& operator=(const once&) = delete;

    /// Calls `function(args...)` if nobody has yet; suspends while another does. If it throws, that call throws it, and
    /// the next in line tries. A cancellation point. fiber_error from inside the function.
    template <class Function, class... Args>
    void call(Function&& function, Args&&... args) {
        if (is_done() || !begin()) return;
        attempt mine{*this};
        std::invoke(std::forward<Function>(function), std::forward<Args>(args)...);
        mine.succeeded = true;
    }

    /// It has been called, and has returned.
    bool is_done() const noexcept { return state_.load(std::memory_order_acquire) == state::done; }

private:
    enum class state { untried, running, done };
    struct attempt {
        ~attempt() { self.end(succeeded); }
        once& self;
        bool succeeded = false;
    };

    bool begin();
    void end(bool succeeded) noexcept;

    std::atomic<state> state_{state::untried};
    detail::spinlock lock_;
    detail::fiber_core* runner_ = nullptr;
    detail::wait_queue waiting_;
};

using once_flag = once;

/// For who knows it from the standard library.
template <class Function, class... Args>
void call_once(once& flag, Function&& function, Args&&... args) {
    flag.call(std::forward<Function>(function), std::forward<Args>(args)...);
}

}  // namespace coir
