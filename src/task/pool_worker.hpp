// One of a hub_pool's threads, its hub, and the tasks that wait there to be started.
#pragma once

#include "hub/hub_core.hpp"

#include <coir/task/detail/completion.hpp>
#include <coir/task/detail/task_core.hpp>

#include <atomic>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace coir::detail {

class pool_worker final : public work_source {
public:
    /// `all` are the pool's, this one among them.
    pool_worker(std::deque<pool_worker>& all, std::string name) : all_(all), name_(std::move(name)) {}

    /// Returns when its hub takes tasks. Throws what made that impossible. Under a shield.
    void start(const unhandled_handler& on_unhandled);
    /// Refuses tasks from now on; those that are left are cancelled, and have the patience to end.
    void stop(time_span patience);
    /// Suspends until its thread has ended; the names of tasks that had not within the patience.
    const std::vector<std::string>& join();

    /// Any thread. False when it is stopped, or was never started.
    bool push(task_core& task, bool is_pinned) noexcept;
    /// Wakes it if it sleeps for want of tasks. Any thread.
    bool wake_idle() noexcept;
    bool is_one_of(const std::deque<pool_worker>& workers) const noexcept { return &all_ == &workers; }
    const coir::hub& hub() const noexcept { return *hub_; }

    fiber_core* take(bool may_steal) noexcept override;
    bool start_sleep() noexcept override;
    void end_sleep() noexcept override { is_idle_.store(false, std::memory_order_relaxed); }
    void after_fork() noexcept override;

private:
    /// Written under the worker's lock; whether it is empty may be asked without.
    struct task_list {
        void push(fiber_core& task) noexcept {
            queue.push(task);
            size.fetch_add(1);
        }
        fiber_core* pop() noexcept {
            fiber_core* task = queue.pop();
            if (task) size.fetch_sub(1);
            return task;
        }
        bool empty() const noexcept { return size.load() == 0; }

        run_queue queue;
        std::atomic<std::size_t> size{0};
    };

    void run(const unhandled_handler& on_unhandled) noexcept;
    void serve_until_stopped(hub_core& hub) noexcept;
    fiber_core* take_from(pool_worker& other, task_list& list) noexcept;

    std::deque<pool_worker>& all_;
    const std::string name_;
    std::thread thread_;
    std::optional<coir::hub> hub_;
    std::exception_ptr failure_;
    completion started_;
    completion stopping_;
    completion ended_;
    deadline last_moment_ = deadline::never();
    std::vector<std::string> survivors_;
    std::atomic<bool> is_idle_{false};

    spinlock lock_;
    bool takes_tasks_ = false;
    task_list tasks_;
    task_list pinned_;  // no other worker may take these
};

}  // namespace coir::detail
