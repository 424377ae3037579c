// <coir/exec/thread_pool.hpp>: threads for what blocks or computes, so that no hub has to.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>
#include <coir/base/spinlock.hpp>
#include <coir/base/unique_function.hpp>
#include <coir/task/future.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coir {

struct thread_pool_options {
    /// Started as jobs come and find no idle one. 0 stands for the number of processors.
    std::size_t max_threads = 0;
    /// How many jobs may wait for a thread; submit waits for room.
    std::size_t queue_limit = 1024;
    /// A thread that has had nothing to do for so long ends.
    time_span idle_time = std::chrono::seconds(10);
    /// Of the threads, as debuggers show it.
    std::string name = "coir-pool";
};

namespace detail {

/// A job and the future that it fulfils. One that never runs ends its future with task_cancelled.
template <class R, class Function, class... Args>
class pool_job {
public:
    template <class F, class... A>
    explicit pool_job(F&& function, A&&... args)
        : call_(std::forward<F>(function), std::forward<A>(args)...), result_(std::in_place) {}
    pool_job(pool_job&& other) noexcept : call_(std::move(other.call_)), result_(std::exchange(other.result_, {})) {}
    ~pool_job() {
        if (!result_) return;
        result_->set_exception(std::make_exception_ptr(task_cancelled("the job's pool was stopped before it started")));
    }

    future<R> get_future() { return result_->get_future(); }

    void operator()() noexcept {
        promise<R> result = *std::exchange(result_, {});
        std::exception_ptr error;
        try {
            if constexpr (std::is_void_v<R>) {
                call();
                return result.set_value();
            } else {
                return result.set_value(call());
            }
        } catch (...) {
            error = std::current_exception();
        }
        result.set_exception(std::move(error));  // which this thread has then let go of: it is the other's to destroy
    }

private:
    R call() {
        return std::apply([](auto&&... part) -> R { return std::invoke(std::move(part)...); }, std::move(call_));
    }

    std::tuple<Function, Args...> call_;
    std::optional<promise<R>> result_;
};

}  // namespace detail

/// Runs jobs on threads of its own: `coir::thread_pool pool(4); auto sum = pool.submit(add, a, b); sum.get();`
///
/// Jobs start first come, first served. A job may use coir; where it waits, its thread blocks. A job that waits for
/// another one of its own pool, while no thread is left to run that, gets coir::deadlock. Any thread may call
/// anything, but for the destructor. In the child of a fork the pool starts anew, empty.
/// Example: tests/exec/thread_pool_test.cpp
class thread_pool {
public:
    explicit thread_pool(std::size_t max_threads = 0);
    explicit thread_pool(thread_pool_options options);
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;
    /// stop(), under a shield.
    ~thread_pool();

    /// Copies or moves the function and its arguments into a job. The future gets the result or what it throws; to
    /// drop it is to let the job go on alone. Suspends while the queue is full (a plain thread blocks): a
    /// cancellation point, and nothing will run then. Throws fiber_error when the pool is stopped, std::system_error
    /// when not even one thread can be started.
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto submit(Function&& function, Args&&... args) {
        auto job = make_job(std::forward<Function>(function), std::forward<Args>(args)...);
        auto result = job.get_future();
        submit_job(std::move(job));
        return result;
    }

    /// As submit, but never suspends: nothing when the queue is full.
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto try_submit(Function&& function, Args&&... args) {
        auto job = make_job(std::forward<Function>(function), std::forward<Args>(args)...);
        auto result = std::make_optional(job.get_future());
        if (!try_submit_job(std::move(job))) result.reset();
        return result;
    }

    /// Refuses new jobs, lets the queued ones run or drops them (their futures get task_cancelled), and waits for the
    /// threads to end. Suspends, a cancellation point; may be called again. From a job of its own it does not wait.
    enum class queued { finish, drop };
    void stop(queued what = queued::finish);

    /// Threads at present, idle ones among them.
    std::size_t size() const;
    /// Jobs that wait for a thread.
    std::size_t waiting() const;

private:
    struct core;

    template <class Function, class... Args>
    static auto make_job(Function&& function, Args&&... args) {
        using F = std::decay_t<Function>;
        using R = std::invoke_result_t<F, std::decay_t<Args>...>;
        if (detail::is_null_callable<F>(function)) throw fiber_error("a null function was submitted to a thread_pool");
        return detail::pool_job<R, F, std::decay_t<Args>...>(std::forward<Function>(function),
                                                             std::forward<Args>(args)...);
    }
    void submit_job(unique_function<void()> job);
    bool try_submit_job(unique_function<void()> job);
    std::shared_ptr<core> current() const;
    void renew(std::uint32_t generation) const;

    mutable detail::spinlock lock_;  // guards the core, which a fork replaces
    mutable std::shared_ptr<core> core_;
    mutable std::atomic<std::uint32_t> fork_generation_;
    static constexpr std::uint32_t being_renewed = static_cast<std::uint32_t>(-1);
};

}  // namespace coir
