#include <coir/task/run.hpp>

#include "hub/hub_core.hpp"

#include <coir/task/cancel.hpp>

#include <string>
#include <vector>

namespace coir::detail {

namespace {

std::vector<ref<task_core>> tasks_of_this_thread() {
    std::vector<ref<task_core>> tasks;
    for (fiber_core& fiber : this_thread().fibers) {
        if (auto* task = dynamic_cast<task_core*>(&fiber)) tasks.emplace_back(task);
    }
    return tasks;
}

std::vector<std::string> names(const std::vector<ref<task_core>>& tasks) {
    std::vector<std::string> found;
    for (auto& task : tasks) {
        if (!task->is_done()) found.push_back(task->name());
    }
    return found;
}

}  // namespace

void check_run_allowed() {
    if (current_fiber().is_main()) return;
    throw fiber_error("coir::run from a fiber: it is for a thread's main function; call the function, or spawn it");
}

std::vector<std::string> cancel_remaining_tasks(deadline limit) noexcept {
    const shield mask;
    for (;;) {
        const std::vector<ref<task_core>> tasks = tasks_of_this_thread();
        if (tasks.empty()) return {};
        for (auto& task : tasks) task->cancel();
        for (auto& task : tasks) {
            if (!task->done().wait(limit, task->what_is_waited_for())) return names(tasks);
        }
    }
}

}  // namespace coir::detail
