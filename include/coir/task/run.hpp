// <coir/task/run.hpp>: a main function as a task, and an orderly end.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/task/task.hpp>

#include <string>
#include <utility>
#include <vector>

namespace coir {

namespace detail {
/// Cancels the tasks of this hub that are left, and waits for them, until there is none or the limit is over. The
/// names of those that have not ended.
std::vector<std::string> cancel_remaining_tasks(deadline limit = deadline::never()) noexcept;
void check_run_allowed();

struct remaining_tasks_end {
    ~remaining_tasks_end() { cancel_remaining_tasks(); }
};
}  // namespace detail

/// Runs `function(args...)` as a task named "run", waits for it, cancels and joins the tasks of this thread that are
/// left, and gives its result, or throws what it threw. From a thread's main fiber; fiber_error elsewhere. Programs
/// need it only for that order at the end: without it, too, main() may spawn and join.
template <class Function, class... Args>
requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
auto run(Function&& function, Args&&... args) {
    detail::check_run_allowed();
    const detail::remaining_tasks_end at_end;
    return spawn({.name = "run"}, std::forward<Function>(function), std::forward<Args>(args)...).get();
}

}  // namespace coir
