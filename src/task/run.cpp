#include <coir/task/run.hpp>

#include "hub/hub_core.hpp"

#include <coir/task/cancel.hpp>

#include <vector>

namespace coir::detail {

void check_run_allowed() {
    if (current_fiber().is_main) return;
    throw fiber_error("coir::run from a fiber: it is for a thread's main function; call the function, or spawn it");
}

void cancel_remaining_tasks() noexcept {
    const shield mask;
    thread_state& thread = this_thread();
    for (bool found = true; found;) {
        found = false;
        std::vector<ref<task_core>> tasks;
        for (fiber_core& fiber : thread.fibers) {
            if (auto* task = dynamic_cast<task_core*>(&fiber)) tasks.emplace_back(task);
        }
        for (auto& task : tasks) task->cancel();
        for (auto& task : tasks) {
            task->done().wait(deadline::never(), {.what = "the end of task", .fiber = task.get()});
            found = true;
        }
    }
}

}  // namespace coir::detail
