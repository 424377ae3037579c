// The program's side of a process_pool: a thread with a hub, on which one task for each worker hands it jobs.
#include <coir/exec/detail/process_pool_core.hpp>

#include "exec/fork_server.hpp"
#include "exec/frame.hpp"
#include "exec/worker_process.hpp"
#include "hub/deadlock.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>
#include <coir/sync/channel.hpp>
#include <coir/sync/event.hpp>
#include <coir/task/cancel.hpp>
#include <coir/task/future.hpp>
#include <coir/task/task.hpp>

#include <fmt/format.h>

#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace coir::detail {

namespace {

constexpr std::size_t most_workers = 4096;

process_pool_options checked(process_pool_options options) {
    if (options.workers == 0) options.workers = std::max(1u, std::thread::hardware_concurrency());
    if (options.workers > most_workers) {
        throw fiber_error(fmt::format("process_pool of {} workers: at most {}", options.workers, most_workers));
    }
    watch_forks();
    return options;
}

std::string too_long_text(const char* what, std::size_t length, std::size_t limit) {
    return fmt::format("process_pool: {} {} bytes; the limit, max_payload, is {}", what, length, limit);
}

/// Tells whoever submitted the job how it ended, from a frame that is intact.
void deliver(std::string_view frame, job_outcome& outcome, std::size_t limit) {
    const frame_header header = header_of(frame);
    const std::string_view payload = frame.substr(sizeof header);
    if (header.kind == frame_kind::result) return outcome.succeed(payload);
    if (header.kind == frame_kind::error) {
        const std::size_t end_of_type = std::min(payload.find('\0'), payload.size() - 1);
        throw remote_error(std::string(payload.substr(0, end_of_type)), std::string(payload.substr(end_of_type + 1)));
    }
    std::size_t length = 0;
    std::memcpy(&length, payload.data(), std::min(sizeof length, payload.size()));
    throw std::length_error(too_long_text("the result of a job has", length, limit));
}

}  // namespace

void throw_too_long(const char* what, std::size_t length, std::size_t limit) {
    throw std::length_error(too_long_text(what, length, limit));
}

class process_pool_core::state {
public:
    explicit state(const process_pool_options& options);

    void submit(process_job job);
    void stop(bool drop_queued);
    bool is_in_child_of_fork() const noexcept { return generation_ != fork_generation(); }
    void forget() noexcept;

    const process_pool_options options;

private:
    void supervise(promise<void> ready);
    void serve(worker_process& worker);
    void run(worker_process& worker, process_job& job) noexcept;
    void listen();
    template <class Error>
    void drop_queued(const Error& error) noexcept;
    void begin() noexcept;
    void finish() noexcept;
    void begin_end(std::string why_broken = {});
    [[noreturn]] void refuse();

    const std::uint32_t generation_ = fork_generation();
    channel<process_job> jobs_;
    fork_server server_;
    std::deque<worker_process> workers_;
    event ended_;
    std::once_flag joined_;

    std::mutex mutex_;            // of what follows; never held for long
    std::size_t unfinished_ = 0;  // jobs, and one when the pool ends
    std::optional<helper_job> busy_;
    bool is_ending_ = false;
    std::string why_broken_;

    std::thread supervisor_;
};

process_pool_core::state::state(const process_pool_options& o)
    : options(checked(o)), jobs_(options.queue_limit), server_(options.max_payload) {
    for (std::size_t i = 0; i < options.workers; ++i) workers_.emplace_back(server_, options.max_payload);
    promise<void> ready;
    auto started = ready.get_future();
    supervisor_ = std::thread([this, r = std::move(ready)]() mutable { supervise(std::move(r)); });
    const shield mask;
    try {
        started.get();
    } catch (...) {
        supervisor_.join();
        throw;
    }
}

/// The thread. Its hub never looks for a deadlock, since it always listens to the fork server; it counts as an idle helper
/// while there is no job.
void process_pool_core::state::supervise(promise<void> ready) {
    std::vector<task<void>> tasks;
    task<void> listener;
    try {
        hub_core::current().serves_a_pool = true;
        listener = spawn({.name = "process_pool: fork server"}, [this] { listen(); });
        for (worker_process& worker : workers_) {
            tasks.push_back(spawn({.name = "process_pool: worker"}, [this, &worker] { serve(worker); }));
        }
    } catch (...) {
        jobs_.close();
        server_.close();
        ready.set_exception(std::current_exception());
        return;
    }
    count_stuck(stuck_kind::helper, +1);
    ready.set_value();
    for (const auto& t : tasks) t.join();
    server_.close();
    listener.join();
    ended_.set();
}

void process_pool_core::state::serve(worker_process& worker) {
    try {
        worker.prepare();
    } catch (const std::exception&) {
        // The first job will try again, and tell.
    }
    while (std::optional<process_job> job = jobs_.recv()) {
        run(worker, *job);
        job.reset();
        finish();
    }
}

void process_pool_core::state::run(worker_process& worker, process_job& job) noexcept {
    std::exception_ptr error;
    try {
        deliver(worker.run(job), *job.outcome, options.max_payload);
    } catch (...) {
        error = std::current_exception();
    }
    // No longer in flight here: from now on the error is its waiter's alone.
    if (error) job.outcome->fail(std::move(error));
}

/// Each gets an error of its own, as they may be looked at on different threads.
template <class Error>
void process_pool_core::state::drop_queued(const Error& error) noexcept {
    while (std::optional<process_job> job = jobs_.try_recv()) {
        job->outcome->fail(std::make_exception_ptr(error));
        finish();
    }
}

/// Without the server no worker can be replaced: that is the end of the pool, unless it was asked to.
void process_pool_core::state::listen() {
    server_.listen();
    const std::string why = fmt::format("process_pool: {}; make a new pool", server_.obituary());
    begin_end(why);
    jobs_.close();
    drop_queued(broken_process_pool(why));
}

void process_pool_core::state::begin() noexcept {
    const std::lock_guard guard(mutex_);
    if (unfinished_++ != 0) return;
    count_stuck(stuck_kind::helper, -1);
    busy_.emplace();
}

void process_pool_core::state::finish() noexcept {
    const std::lock_guard guard(mutex_);
    if (--unfinished_ != 0) return;
    busy_.reset();
    count_stuck(stuck_kind::helper, +1);
}

/// From now on the supervisor is busy until it is gone.
void process_pool_core::state::begin_end(std::string why_broken) {
    {
        const std::lock_guard guard(mutex_);
        if (std::exchange(is_ending_, true)) return;
        why_broken_ = std::move(why_broken);
    }
    begin();
}

void process_pool_core::state::refuse() {
    const std::lock_guard guard(mutex_);
    if (!why_broken_.empty()) throw broken_process_pool(why_broken_);
    throw fiber_error("process_pool::submit: the pool has been stopped");
}

void process_pool_core::state::submit(process_job job) {
    begin();
    try {
        jobs_.send(std::move(job));
    } catch (const channel_closed&) {
        finish();
        refuse();
    } catch (...) {
        finish();
        throw;
    }
}

void process_pool_core::state::stop(bool drop) {
    begin_end();
    jobs_.close();
    if (drop) {
        drop_queued(task_cancelled("process_pool: stopped before the job was begun"));
    }
    ended_.wait();
    std::call_once(joined_, [this] { supervisor_.join(); });
}

/// The thread, the locks and the processes are the parent's: only the copies of descriptors are this process's.
void process_pool_core::state::forget() noexcept {
    server_.forget();
    for (worker_process& worker : workers_) worker.forget();
}

process_pool_core::process_pool_core(const process_pool_options& options) : state_(std::make_unique<state>(options)) {}

process_pool_core::~process_pool_core() {
    if (state_->is_in_child_of_fork()) {
        state_.release()->forget();
        return;
    }
    const shield mask;
    state_->stop(false);
}

void process_pool_core::submit(process_job job) {
    if (state_->is_in_child_of_fork()) {
        throw fiber_error("process_pool::submit: the pool is the parent's, of whom this process is a fork");
    }
    state_->submit(std::move(job));
}

void process_pool_core::stop(bool drop_queued) {
    if (state_->is_in_child_of_fork()) {
        throw fiber_error("process_pool::stop: the pool is the parent's, of whom this process is a fork");
    }
    state_->stop(drop_queued);
}

std::size_t process_pool_core::size() const noexcept { return state_->options.workers; }
std::size_t process_pool_core::max_payload() const noexcept { return state_->options.max_payload; }

}  // namespace coir::detail
