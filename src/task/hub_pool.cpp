#include <coir/task/hub_pool.hpp>

#include "hub/hub_core.hpp"
#include "task/pool_worker.hpp"

#include <coir/base/error.hpp>
#include <coir/task/cancel.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <thread>

namespace coir {

using detail::hub_core;
using detail::pool_worker;

struct hub_pool::core {
    explicit core(hub_pool_options o);

    pool_worker* of_this_thread() noexcept;
    pool_worker& next() noexcept { return workers[turn.fetch_add(1, std::memory_order_relaxed) % workers.size()]; }
    void wake_idle() noexcept;
    void stop(time_span patience);
    std::vector<std::string> join();

    hub_pool_options options;
    const std::uint32_t fork_generation = detail::fork_generation();
    std::deque<pool_worker> workers;
    std::atomic<std::size_t> turn{0};
};

hub_pool::core::core(hub_pool_options o) : options(std::move(o)) {
    const std::size_t count = options.hubs != 0 ? options.hubs : std::max(1u, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i) workers.emplace_back(workers, fmt::format("{}-{}", options.name, i));
    try {
        for (pool_worker& w : workers) w.start(options.on_unhandled);
    } catch (...) {
        const shield mask;
        stop(std::chrono::seconds(0));
        join();
        throw;
    }
}

pool_worker* hub_pool::core::of_this_thread() noexcept {
    hub_core* hub = hub_core::of_this_thread();
    auto* mine = hub ? static_cast<pool_worker*>(hub->source) : nullptr;
    return mine && mine->is_one_of(workers) ? mine : nullptr;
}

void hub_pool::core::wake_idle() noexcept {
    for (pool_worker& w : workers) {
        if (w.wake_idle()) return;
    }
}

void hub_pool::core::stop(time_span patience) {
    for (pool_worker& w : workers) w.stop(patience);
}

std::vector<std::string> hub_pool::core::join() {
    std::vector<std::string> survivors;
    for (pool_worker& w : workers) {
        const auto& names = w.join();
        survivors.insert(survivors.end(), names.begin(), names.end());
    }
    return survivors;
}

hub_pool::hub_pool(std::size_t hubs) : hub_pool(hub_pool_options{.hubs = hubs}) {}

hub_pool::hub_pool(hub_pool_options options) : core_(std::make_shared<core>(std::move(options))) {}

hub_pool::~hub_pool() {
    if (core_->fork_generation != detail::fork_generation()) {
        new std::shared_ptr<core>(core_);  // its threads stayed in the parent; nothing here may be waited for, or freed
        return;
    }
    const shield mask;
    if (!core_->of_this_thread()) {
        stop();
        return;
    }
    // One of its own tasks has dropped it, and cannot wait for itself.
    std::thread([pool = core_] {
        pool->stop(std::chrono::seconds(2));
        pool->join();
    }).detach();
}

std::size_t hub_pool::size() const noexcept { return core_->workers.size(); }

coir::hub hub_pool::hub(std::size_t index) const { return core_->workers[checked(index)].hub(); }

std::size_t hub_pool::checked(std::size_t hub) const {
    if (hub < size()) return hub;
    throw fiber_error(fmt::format("hub_pool \"{}\" has no hub {}: it has {}", core_->options.name, hub, size()));
}

void hub_pool::launch(std::size_t hub, detail::task_core& task) {
    detail::this_thread().number_fiber(task);
    pool_worker* mine = core_->of_this_thread();
    const bool is_pinned = hub != any_hub;
    pool_worker& target = is_pinned ? core_->workers[hub] : mine ? *mine : core_->next();
    if (core_->fork_generation != detail::fork_generation() || !target.push(task, is_pinned)) {
        throw fiber_error(
            fmt::format("hub_pool \"{}\" is stopped and takes no task \"{}\"", core_->options.name, task.name()));
    }
    if (!target.wake_idle() && !is_pinned) core_->wake_idle();
}

std::vector<std::string> hub_pool::stop(time_span patience) {
    if (core_->of_this_thread()) {
        throw fiber_error(fmt::format("hub_pool \"{}\" is stopped by one of its own tasks", core_->options.name));
    }
    if (core_->fork_generation != detail::fork_generation()) return {};
    core_->stop(patience);
    return core_->join();
}

}  // namespace coir
