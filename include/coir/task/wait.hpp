// <coir/task/wait.hpp>: waiting for several tasks: gather, wait and as_completed.
//
// All of them suspend, from any hub's fiber or a plain thread. Cancellation: they throw cancelled, and the tasks go
// on, except those that gather was given as rvalues.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/pull_iterator.hpp>
#include <coir/task/cancel.hpp>
#include <coir/task/detail/completion_set.hpp>
#include <coir/task/task.hpp>

#include <cstddef>
#include <iterator>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coir {

namespace detail {

template <class T>
struct task_traits;
template <class R>
struct task_traits<task<R>> {
    using result = std::conditional_t<std::is_void_v<R>, std::monostate, R>;
};
template <class Task>
using gathered = typename task_traits<std::remove_cvref_t<Task>>::result;

template <class T>
concept any_task = requires {
    typename task_traits<std::remove_cvref_t<T>>::result;
};

/// Waits for all of them to end; throws the error of the one that failed first. `owned` says which to cancel, and
/// join, if the wait itself is interrupted.
void join_all(task_core* const* tasks, const bool* owned, std::size_t count);

template <class Task>
gathered<Task> result_of(Task&& t) {
    if constexpr (std::is_same_v<gathered<Task>, std::monostate>) {
        std::forward<Task>(t).get();
        return {};
    } else {
        return std::forward<Task>(t).get();
    }
}

}  // namespace detail

/// The results of all, in the order of the arguments; std::monostate for a task<void>. An error cancels nothing: when
/// all have ended, the first is rethrown. `auto [a, b] = coir::gather(t, coir::spawn(fn));`
template <detail::any_task... Tasks>
requires(sizeof...(Tasks) > 0) std::tuple<detail::gathered<Tasks>...> gather(Tasks&&... tasks) {
    detail::task_core* const cores[] = {&tasks.core()...};
    const bool owned[] = {!std::is_lvalue_reference_v<Tasks>...};
    detail::join_all(cores, owned, sizeof...(Tasks));
    return {detail::result_of(std::forward<Tasks>(tasks))...};
}

/// The same for a range of tasks: a vector of results.
template <std::ranges::forward_range Range>
requires detail::any_task<std::ranges::range_value_t<Range>>
auto gather(Range&& tasks) {
    using task_type = std::ranges::range_value_t<Range>;
    constexpr bool is_owned = !std::is_lvalue_reference_v<Range> && !std::ranges::view<std::remove_cvref_t<Range>>;
    std::vector<detail::task_core*> cores;
    for (auto& t : tasks) cores.push_back(&t.core());
    const auto owned = std::make_unique<bool[]>(cores.size());
    for (std::size_t i = 0; i < cores.size(); ++i) owned[i] = is_owned;
    detail::join_all(cores.data(), owned.get(), cores.size());
    std::vector<detail::gathered<task_type>> results;
    results.reserve(cores.size());
    for (auto& t : tasks) {
        if constexpr (is_owned) {
            results.push_back(detail::result_of(std::move(t)));
        } else {
            results.push_back(detail::result_of(t));
        }
    }
    return results;
}

/// When wait returns.
enum class until { all_completed, first_completed, first_exception };

struct wait_options {
    time_span timeout = time_span::forever();
    coir::until until = coir::until::all_completed;
};

/// Both in the order of the tasks that were given.
template <class Task>
struct wait_result {
    std::vector<Task> done;
    std::vector<Task> pending;
};

/// Waits until the tasks have ended, as far as the options ask, or the time is over, which is no error: what has not
/// ended is in `pending`, and goes on. Does not rethrow what the tasks threw.
/// `auto [done, pending] = coir::wait(tasks, {.timeout = 2s, .until = coir::until::first_completed});`
template <std::ranges::forward_range Range>
requires detail::any_task<std::ranges::range_value_t<Range>>
auto wait(Range&& tasks, const wait_options& options = {}) {
    using task_type = std::ranges::range_value_t<Range>;
    const deadline limit = deadline::after(options.timeout);
    const auto count = static_cast<std::size_t>(std::ranges::distance(tasks));
    detail::completion_set ends(count);
    std::vector<task_type> given(std::ranges::begin(tasks), std::ranges::end(tasks));
    for (std::size_t i = 0; i < count; ++i) ends.watch(i, given[i].core());
    for (;;) {
        const std::size_t ended = ends.next(limit);
        if (ended == detail::completion_set::none) break;
        if (options.until == until::first_completed) break;
        if (options.until == until::first_exception && given[ended].core().has_failed()) break;
    }
    wait_result<task_type> result;
    for (auto& t : given) (t.done() ? result.done : result.pending).push_back(std::move(t));
    return result;
}

/// See as_completed.
template <class Task>
class completed_range {
public:
    explicit completed_range(std::vector<Task> tasks) : tasks_(std::move(tasks)), ends_(tasks_.size()) {
        for (std::size_t i = 0; i < tasks_.size(); ++i) ends_.watch(i, tasks_[i].core());
    }

private:
    struct source {
        bool fetch() {
            current = from->ends_.next(deadline::never());
            return current != detail::completion_set::none;
        }
        Task& get() const noexcept { return from->tasks_[current]; }

        completed_range* from = nullptr;
        std::size_t current = detail::completion_set::none;
    };

public:
    using iterator = detail::pull_iterator<Task, source>;

    iterator begin() { return iterator({this}); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    std::vector<Task> tasks_;
    detail::completion_set ends_;
};

/// The tasks in the order in which they end: `for (auto& t : coir::as_completed(tasks)) use(t.get());`. Each step
/// suspends until one more has ended. Leaving the loop early leaves the tasks running.
template <std::ranges::forward_range Range>
requires detail::any_task<std::ranges::range_value_t<Range>>
auto as_completed(Range&& tasks) {
    using task_type = std::ranges::range_value_t<Range>;
    return completed_range<task_type>(std::vector<task_type>(std::ranges::begin(tasks), std::ranges::end(tasks)));
}

}  // namespace coir
