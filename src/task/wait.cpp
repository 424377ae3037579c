#include <coir/task/wait.hpp>

namespace coir::detail {

namespace {

void cancel_and_join(task_core* const* tasks, const bool* owned, std::size_t count) {
    const shield mask;
    for (std::size_t i = 0; i < count; ++i) {
        if (owned[i]) tasks[i]->cancel();
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (owned[i]) tasks[i]->join(deadline::never());
    }
}

}  // namespace

void join_all(task_core* const* tasks, const bool* owned, std::size_t count) {
    try {
        for (std::size_t i = 0; i < count; ++i) tasks[i]->join(deadline::never());
    } catch (...) {
        cancel_and_join(tasks, owned, count);
        throw;
    }
    task_core* first_failed = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
        if (!tasks[i]->has_failed()) continue;
        if (!first_failed || tasks[i]->failed_before(*first_failed)) first_failed = tasks[i];
    }
    if (first_failed) first_failed->rethrow();
}

}  // namespace coir::detail
