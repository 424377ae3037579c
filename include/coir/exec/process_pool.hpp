// <coir/exec/process_pool.hpp>: functions that run in other processes, so that a crash is an error and nothing worse.
//
// Needs the header-only library cereal (libcereal-dev) for arguments and results; libcoir itself does not.
#pragma once

#include <coir/base/error.hpp>
#include <coir/exec/detail/job.hpp>
#include <coir/exec/detail/process_pool_core.hpp>
#include <coir/task/future.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace coir {

/// A number of worker processes, each of which runs one job at a time:
///
///     coir::process_pool pool(4);
///     coir::future<int> length = pool.submit([](const std::string& s) { return int(s.size()); }, "text");
///
/// A job that crashes its worker gives broken_process_pool; the worker is replaced, the other jobs go on. The workers
/// are forks of this process as it was when the pool was made: they have its code and its globals of then, none of its
/// threads or descriptors but stdin, stdout and stderr, and default signals, but ignore those of a terminal (SIGINT,
/// SIGQUIT, SIGHUP). Make the pool early: a lock that another thread holds at that moment stays locked in the workers,
/// and a library that is loaded later is not there. They die with this process, however it ends.
///
/// In the child of a fork of this process the pool is refused (fiber_error) and its destructor does nothing.
/// Any thread may call anything. Example: tests/exec/process_pool_test.cpp
class process_pool {
public:
    /// What becomes of jobs that no worker has begun when the pool is stopped.
    enum class queued { finish, drop };

    /// Blocks its thread for as long as a fork takes. Throws std::system_error, and fiber_error for an absurd number.
    explicit process_pool(std::size_t workers) : process_pool(process_pool_options{.workers = workers}) {}
    explicit process_pool(const process_pool_options& options) : core_(options) {}
    /// As stop(), in a shield: waits for the jobs that are left.
    ~process_pool() = default;
    process_pool(const process_pool&) = delete;
    process_pool& operator=(const process_pool&) = delete;

    /// Has `function(args...)` run by a worker: a function pointer, or a lambda without captures. Arguments and result
    /// are copied by cereal's binary archive; what cannot be is refused by the compiler.
    ///
    /// Suspends (a plain thread blocks) while queue_limit jobs wait. Cancellation: throws, and the job is dropped.
    /// Throws std::length_error when the arguments are longer than max_payload, fiber_error after stop(), and
    /// broken_process_pool when the pool can make no more workers.
    ///
    /// A type's serialize() is called on this thread, in the worker, and, for a result, on a thread of the pool.
    ///
    /// The future gets the result, or remote_error for what the job threw, std::length_error for a result that is too
    /// long, broken_process_pool when the worker ended, task_cancelled when the job was dropped, std::system_error
    /// when no worker could be made. A wait for it that is cancelled does not stop the job.
    template <class Function, class... Args>
    auto submit(Function&& function, Args&&... args) {
        using types = detail::job_types<std::decay_t<Function>, detail::sent_as<Args>...>;
        if constexpr (types::check()) {
            using R = typename types::result;
            auto outcome = std::make_unique<detail::promised_outcome<R>>();
            future<R> result = outcome->get_future();
            core_.submit({detail::pack_job<std::decay_t<Function>, detail::sent_as<Args>...>(
                              core_.max_payload(), function, std::forward<Args>(args)...),
                          &typeid(std::decay_t<Function>), std::move(outcome)});
            return result;
        }
    }

    /// Refuses new jobs, waits until those that are queued have been run (or drops them: their futures get
    /// task_cancelled) and those that run have ended, and ends the workers. Suspends. Cancellation: throws; the pool
    /// stops all the same. May be called again.
    void stop(queued jobs = queued::finish) { core_.stop(jobs == queued::drop); }

    /// How many workers there are. Never suspends.
    std::size_t size() const noexcept { return core_.size(); }

private:
    detail::process_pool_core core_;
};

}  // namespace coir
