#include "task/pool_worker.hpp"

#include <coir/base/error.hpp>
#include <coir/task/cancel.hpp>
#include <coir/task/run.hpp>

#include <fmt/format.h>

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace coir::detail {

namespace {

/// How long after its last moment a thread may go on before it is said that it does.
constexpr auto grace = std::chrono::seconds(4);

}  // namespace

void pool_worker::start(const unhandled_handler& on_unhandled) {
    const shield mask;
    thread_ = std::thread([this, on_unhandled] { run(on_unhandled); });
    started_.wait(deadline::never(), {"the start of a hub_pool"});
    if (!failure_) return;
    thread_.join();
    std::rethrow_exception(failure_);
}

void pool_worker::run(const unhandled_handler& on_unhandled) noexcept {
    ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
    try {
        hub_ = coir::hub::current();
        hub_->on_unhandled(on_unhandled);
    } catch (...) {
        failure_ = std::current_exception();
        return started_.finish();
    }
    serve_until_stopped(*hub_->core());
    ended_.finish();
}

void pool_worker::serve_until_stopped(hub_core& hub) noexcept {
    hub.serves_a_pool = true;
    hub.source = this;
    {
        const std::lock_guard guard(lock_);
        takes_tasks_ = true;
    }
    started_.finish();
    const shield mask;
    stopping_.wait(deadline::never(), {"the end of its hub_pool"});
    while (hub.adopt_task(false)) {
    }
    survivors_ = cancel_remaining_tasks(last_moment_);
    hub.source = nullptr;
    hub.end_fibers();
}

void pool_worker::stop(time_span patience) {
    {
        const std::lock_guard guard(lock_);
        if (!std::exchange(takes_tasks_, false)) return;
        last_moment_ = deadline::after(patience);
        for (const task_list* list : {&tasks_, &pinned_}) {
            list->queue.for_each([](fiber_core& task) { static_cast<task_core&>(task).never_run(); });
        }
    }
    stopping_.finish();
}

const std::vector<std::string>& pool_worker::join() {
    if (!hub_) return survivors_;  // it was never started
    const wait_info info{"the end of a hub_pool's thread", this};
    if (!ended_.wait(deadline::after(last_moment_.remaining() + grace), info)) {
        this_thread().report(name_, std::make_exception_ptr(fiber_error(
                                        "the thread has not ended with its hub_pool: a task of it never suspends")));
        ended_.wait(deadline::never(), info);
    }
    std::thread ended;
    {
        const std::lock_guard guard(lock_);
        ended = std::move(thread_);
    }
    if (ended.joinable()) ended.join();
    return survivors_;
}

bool pool_worker::push(task_core& task, bool is_pinned) noexcept {
    const std::lock_guard guard(lock_);
    if (!takes_tasks_) return false;
    task.owner = &hub_->core()->thread();
    task.owns_itself = true;
    task.refs.set(2);
    task.set_state(fiber_state::queued);
    (is_pinned ? pinned_ : tasks_).push(task);
    return true;
}

bool pool_worker::wake_idle() noexcept {
    if (!is_idle_.load() || !is_idle_.exchange(false)) return false;
    hub_->core()->look_around();
    return true;
}

fiber_core* pool_worker::take_from(pool_worker& other, task_list& list) noexcept {
    if (list.empty()) return nullptr;
    const std::lock_guard guard(other.lock_);
    fiber_core* task = list.pop();
    if (task) task->owner = &hub_->core()->thread();
    return task;
}

fiber_core* pool_worker::take(bool may_steal) noexcept {
    if (fiber_core* task = take_from(*this, pinned_)) return task;
    if (fiber_core* task = take_from(*this, tasks_)) return task;
    if (!may_steal) return nullptr;
    for (pool_worker& other : all_) {
        if (&other == this) continue;
        if (fiber_core* task = take_from(other, other.tasks_)) return task;
    }
    return nullptr;
}

/// Says that it sleeps, and then looks; who pushes does it the other way round. So one of the two sees the other.
bool pool_worker::start_sleep() noexcept {
    is_idle_.store(true);
    return pinned_.empty() &&
           std::all_of(all_.begin(), all_.end(), [](const pool_worker& w) { return w.tasks_.empty(); });
}

void pool_worker::after_fork() noexcept {
    lock_.reset();
    for (task_list* list : {&tasks_, &pinned_}) {
        while (fiber_core* task = list->pop()) {
            hub_->core()->thread().fibers.push_back(*task);
            task->end_early(stayed_behind());
        }
    }
}

}  // namespace coir::detail
