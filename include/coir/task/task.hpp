// <coir/task/task.hpp>: functions that run as fibers of their own, and handles to wait for them.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/task/detail/task_core.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coir {

/// How a task is made: `coir::spawn({.name = "n1", .stack_size = 64 * 1024}, function, arguments...)`.
struct spawn_options {
    std::string name = {};
    std::size_t stack_size = default_stack_size;
};

/// A handle of a running function whose result is an `R`. Copies refer to the same task; dropping the last one
/// detaches it, and then it must own what it uses. Any thread may use a handle.
/// Example: tests/task/task_test.cpp
template <class R>
class task {
public:
    using result_type = R;

    /// An empty handle; only assignment and `explicit operator bool` make sense.
    task() noexcept = default;

    /// Waits for the end and gives the result: a copy, so that it may be asked again. From an rvalue handle, and for
    /// a result that cannot be copied, it is moved out, once: fiber_error after that. Rethrows what the task threw;
    /// task_cancelled when it was cancelled. Suspends (a plain thread blocks). Cancellation: throws cancelled, the
    /// task goes on. fiber_error from the task itself.
    R get() &;
    R get() const& { return const_cast<task&>(*this).get(); }
    R get() &&;

    /// Waits for the end, and says nothing of how it ended. Suspends, and is cancelled, as get().
    void join() const { core().join(); }
    /// False when the limit was first.
    bool join_for(time_span limit) const { return core().join(deadline::after(limit)); }
    bool join_until(deadline limit) const { return core().join(limit); }

    /// Asks it to end: `cancelled` is thrown at its present or next suspension, once. One that has not started never
    /// runs. Does not suspend, never throws; nothing for a task that has ended or has not seen the last one yet.
    void cancel() const noexcept {
        if (state_) state_->cancel();
    }

    /// It has ended, somehow. Never suspends.
    bool done() const { return core().is_done(); }
    /// It has ended by cancellation.
    bool was_cancelled() const { return done() && core().was_cancelled(); }

    std::string name() const { return core().name(); }

    explicit operator bool() const noexcept { return static_cast<bool>(state_); }
    friend bool operator==(const task&, const task&) noexcept = default;

    /// Not for use outside coir.
    explicit task(detail::ref<detail::task_result<R>> state) noexcept : state_(std::move(state)) {}
    detail::task_core& core() const {
        if (!state_) [[unlikely]]
            detail::throw_empty_task();
        return *state_;
    }

private:
    void get_through() const {
        detail::task_core& ended = core();
        ended.join();
        ended.rethrow();
    }
    R take();

    detail::ref<detail::task_result<R>> state_;
};

namespace detail {

template <class Function, class... Args>
auto spawn_task(std::string_view name, std::size_t stack_size, Function&& function, Args&&... args) {
    using R = std::invoke_result_t<std::decay_t<Function>, std::decay_t<Args>...>;
    auto made = make_task(name, stack_size, std::forward<Function>(function), std::forward<Args>(args)...);
    launch(*made);
    return task<R>(std::move(made));
}

}  // namespace detail

/// Runs `function(args...)` as a task of the current hub. It does not start before the spawner suspends. Function and
/// arguments are copied or moved into the task, as std::thread does; std::ref passes a reference. Does not suspend.
/// Throws fiber_error for a null function or an absurd stack size, and std::bad_alloc.
template <class Function, class... Args>
requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
auto spawn(const spawn_options& options, Function&& function, Args&&... args) {
    return detail::spawn_task(options.name, options.stack_size, std::forward<Function>(function),
                              std::forward<Args>(args)...);
}

template <class Function, class... Args>
requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
auto spawn(Function&& function, Args&&... args) {
    return detail::spawn_task({}, default_stack_size, std::forward<Function>(function), std::forward<Args>(args)...);
}

template <class R>
R task<R>::get() & {
    get_through();
    if constexpr (std::is_void_v<R>) {
        return;
    } else if constexpr (std::is_reference_v<R>) {
        return static_cast<R>(*state_->result());
    } else if constexpr (std::is_copy_constructible_v<R>) {
        if (!state_->has_result()) [[unlikely]]
            detail::throw_result_moved_out(*state_);
        return state_->result();
    } else {
        return take();
    }
}

template <class R>
R task<R>::get() && {
    get_through();
    if constexpr (std::is_void_v<R>) {
        return;
    } else if constexpr (std::is_reference_v<R>) {
        return static_cast<R>(*state_->result());
    } else {
        return take();
    }
}

template <class R>
R task<R>::take() {
    if constexpr (!std::is_void_v<R> && !std::is_reference_v<R>) {
        if (!state_->has_result()) [[unlikely]]
            detail::throw_result_moved_out(*state_);
        R result = std::move(state_->result());
        state_->drop_result();
        return result;
    }
}

}  // namespace coir
