// <coir/task/hub_pool.hpp>: several threads with a hub each, which share the tasks that have not started.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/hub.hpp>
#include <coir/task/task.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace coir {

struct hub_pool_options {
    /// How many threads. 0 stands for the number of processors.
    std::size_t hubs = 0;
    /// Gets errors that nobody else gets, on the hub where they came up; see hub::on_unhandled.
    unhandled_handler on_unhandled = {};
    /// Of the threads, as debuggers show it; a number follows.
    std::string name = "coir-hub";
};

/// `coir::hub_pool hubs(4); auto t = hubs.spawn(work, 7); t.get();`
///
/// spawn() puts a task on the hub that calls it, or, from outside the pool, on one after the other. A hub that has
/// nothing ready takes one that has not started from another; once started a task stays. What coir::spawn makes in
/// the pool's threads is no matter of the pool: it stays where it was made. Wakes, joins, cancellation, and all of
/// coir's primitives work between hubs, and plain threads. Any thread may call anything, but for the destructor.
/// Example: tests/task/hub_pool_test.cpp
class hub_pool {
public:
    /// Throws std::system_error when a thread or its hub cannot be made.
    explicit hub_pool(std::size_t hubs = 0);
    explicit hub_pool(hub_pool_options options);
    hub_pool(const hub_pool&) = delete;
    hub_pool& operator=(const hub_pool&) = delete;
    /// stop(), under a shield. Dropped by one of its own tasks, it does not wait.
    ~hub_pool();

    /// As coir::spawn, on any hub of the pool. Does not suspend. fiber_error when the pool is stopped, and in the
    /// child of a fork, where it has no threads.
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto spawn(const spawn_options& options, Function&& function, Args&&... args) {
        return place(any_hub, options, std::forward<Function>(function), std::forward<Args>(args)...);
    }
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto spawn(Function&& function, Args&&... args) {
        return place(any_hub, {}, std::forward<Function>(function), std::forward<Args>(args)...);
    }

    /// The same on one of them, 0 to size() - 1; no other takes it. fiber_error for another number.
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto spawn_on(std::size_t hub, const spawn_options& options, Function&& function, Args&&... args) {
        return place(checked(hub), options, std::forward<Function>(function), std::forward<Args>(args)...);
    }
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto spawn_on(std::size_t hub, Function&& function, Args&&... args) {
        return place(checked(hub), {}, std::forward<Function>(function), std::forward<Args>(args)...);
    }

    std::size_t size() const noexcept;
    /// For post(), say. fiber_error for a number that is not there.
    coir::hub hub(std::size_t index) const;

    /// Refuses new tasks, cancels those that are left (what has not started never runs), waits for their ends and for
    /// the threads'. The names of tasks that had not ended when the patience was over: those get fiber_exit, and what
    /// does not end by that either is reported to on_unhandled; a task that never suspends is waited for. Suspends; a
    /// cancellation point, and then the pool goes on ending. Later calls only wait. fiber_error from its own tasks.
    std::vector<std::string> stop(time_span patience = std::chrono::seconds(2));

private:
    struct core;
    static constexpr std::size_t any_hub = static_cast<std::size_t>(-1);

    template <class Function, class... Args>
    auto place(std::size_t hub, const spawn_options& options, Function&& function, Args&&... args) {
        using R = std::invoke_result_t<std::decay_t<Function>, std::decay_t<Args>...>;
        auto made = detail::make_task(options.name, options.stack_size, std::forward<Function>(function),
                                      std::forward<Args>(args)...);
        launch(hub, *made);
        return task<R>(std::move(made));
    }
    std::size_t checked(std::size_t hub) const;
    void launch(std::size_t hub, detail::task_core& task);

    std::shared_ptr<core> core_;
};

}  // namespace coir
