#include <coir/exec/thread_pool.hpp>

#include "hub/deadlock.hpp"
#include "hub/hub_core.hpp"

#include <coir/sync/channel.hpp>
#include <coir/sync/event.hpp>
#include <coir/task/cancel.hpp>

#include <fmt/format.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

namespace coir {

/// What the threads share; the last of them, or the pool, frees it.
struct thread_pool::core : std::enable_shared_from_this<core> {
    explicit core(thread_pool_options o);
    ~core();

    void submit(unique_function<void()> function);
    bool try_submit(unique_function<void()> function);
    void stop(queued what);

    struct job {
        detail::helper_job counted;  // destroyed last: the function's destructor may be anything
        unique_function<void()> function;
    };
    /// One that may have to wait for room: no thread leaves meanwhile.
    struct counted_submit {
        explicit counted_submit(core& c) noexcept : pool(c) { ++pool.submits; }
        counted_submit(const counted_submit&) = delete;
        ~counted_submit() { --pool.submits; }
        core& pool;
    };
    using threads = std::list<std::thread>;
    void ensure_thread();
    bool grow();
    void grow_if_needed();
    void start_thread();
    void work(threads::iterator self);
    bool leave(threads::iterator self);
    bool hand_over(threads::iterator self);
    bool has_work() const { return jobs.size() != 0 || (submits != 0 && !jobs.is_closed()); }
    void end(threads::iterator self) noexcept;
    void join_ended() noexcept;
    [[noreturn]] void refuse() const;

    const thread_pool_options options;
    channel<job> jobs;
    std::atomic<int> submits{0};
    std::atomic<std::size_t> free_threads{0};  // those that have no job, from their start on
    std::mutex mutex;                          // guards the lists; nobody waits under it
    threads running;
    threads ended;
    event no_threads;
};

namespace {

/// The core whose jobs this thread runs.
constinit thread_local const void* core_of_this_thread = nullptr;

thread_pool_options completed(thread_pool_options options) {
    if (options.max_threads == 0) options.max_threads = std::max(1u, std::thread::hardware_concurrency());
    return options;
}

}  // namespace

thread_pool::core::core(thread_pool_options o) : options(completed(std::move(o))), jobs(options.queue_limit) {
    no_threads.set();
}

thread_pool::core::~core() {
    for (std::thread& thread : ended) {
        thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
    }
}

void thread_pool::core::refuse() const {
    throw fiber_error(fmt::format("thread_pool \"{}\" is stopped and takes no more jobs", options.name));
}

/// A job that lies in the queue has found no idle thread.
void thread_pool::core::submit(unique_function<void()> function) {
    ensure_thread();
    job next{{}, std::move(function)};
    const counted_submit present(*this);
    try {
        if (!jobs.try_send(std::move(next))) {
            grow();
            jobs.send(std::move(next));
        }
    } catch (const channel_closed&) {
        refuse();
    }
    grow_if_needed();
}

bool thread_pool::core::try_submit(unique_function<void()> function) {
    ensure_thread();
    job next{{}, std::move(function)};
    try {
        if (!jobs.try_send(std::move(next)) && (!grow() || !jobs.try_send(std::move(next)))) return false;
    } catch (const channel_closed&) {
        refuse();
    }
    grow_if_needed();
    return true;
}

void thread_pool::core::ensure_thread() {
    if (jobs.is_closed()) refuse();
    {
        const std::lock_guard guard(mutex);
        if (!running.empty()) return;
    }
    if (!grow()) detail::throw_system_error(EAGAIN, "starting a thread of thread_pool \"" + options.name + "\"");
}

/// One more thread, if there may be one. False when the system refuses it.
bool thread_pool::core::grow() {
    join_ended();
    const std::lock_guard guard(mutex);
    if (running.size() >= options.max_threads) return true;
    try {
        start_thread();
    } catch (const std::system_error&) {
        return false;
    }
    return true;
}

/// Under the lock.
void thread_pool::core::start_thread() {
    const auto self = running.emplace(running.end());
    ++free_threads;
    try {
        *self = std::thread([keep = shared_from_this(), self] { keep->work(self); });
    } catch (...) {
        --free_threads;
        running.erase(self);
        throw;
    }
    no_threads.clear();
}

/// Some jobs lie in the queue, and there are not as many threads that will take them.
void thread_pool::core::grow_if_needed() {
    if (jobs.size() > free_threads) grow();
}

void thread_pool::core::work(threads::iterator self) {
    ::pthread_setname_np(::pthread_self(), options.name.substr(0, 15).c_str());
    core_of_this_thread = this;
    for (;;) {
        detail::waits_as = detail::stuck_kind::helper;
        auto next = jobs.recv_for(options.idle_time);
        detail::waits_as = detail::stuck_kind::job;
        const bool is_idle = !next;
        if (next) {
            --free_threads;
            grow_if_needed();  // whoever has queued a job may have counted on this thread
            next->function();
            next.reset();
            ++free_threads;
        }
        if ((is_idle && leave(self)) || (detail::hub_core::of_this_thread() && hand_over(self))) return;
    }
}

/// A thread whose job has made a hub, by sleeping or by I/O, ends: a hub has timers and fibers of its own, and would
/// not wait as an idle thread does. False when no other can be started for what is queued.
bool thread_pool::core::hand_over(threads::iterator self) {
    const std::lock_guard guard(mutex);
    --free_threads;
    if (has_work()) {
        try {
            start_thread();
        } catch (const std::system_error&) {
            ++free_threads;
            return false;
        }
    }
    end(self);
    return true;
}

/// Not with a job in the queue, or somebody who waits for room: they may have counted on this thread. It leaves the
/// free ones first and looks at the queue then; who submits does it the other way round. So one of the two sees the
/// other.
bool thread_pool::core::leave(threads::iterator self) {
    const std::lock_guard guard(mutex);
    --free_threads;
    if (has_work()) {
        ++free_threads;
        return false;
    }
    end(self);
    return true;
}

/// Under the lock, by a thread that is no free one any more.
void thread_pool::core::end(threads::iterator self) noexcept {
    ended.splice(ended.end(), running, self);
    if (running.empty()) no_threads.set();
}

void thread_pool::core::join_ended() noexcept {
    threads mine;
    {
        const std::lock_guard guard(mutex);
        mine.splice(mine.end(), ended);
    }
    for (std::thread& thread : mine) thread.join();
}

void thread_pool::core::stop(queued what) {
    jobs.close();
    if (what == queued::drop) {
        while (jobs.try_recv()) {
        }
    }
    if (core_of_this_thread == this) return;
    no_threads.wait();
    join_ended();
}

thread_pool::thread_pool(std::size_t max_threads) : thread_pool(thread_pool_options{.max_threads = max_threads}) {}

thread_pool::thread_pool(thread_pool_options options)
    : core_(std::make_shared<core>(std::move(options))), fork_generation_(detail::fork_generation()) {}

thread_pool::~thread_pool() {
    const shield mask;
    current()->stop(queued::finish);
}

/// In the child of a fork the threads are gone, and the old core with whatever they were doing to it is left alone, as
/// is the lock: one of them may have held it.
std::shared_ptr<thread_pool::core> thread_pool::current() const {
    std::uint32_t generation = fork_generation_.load(std::memory_order_acquire);
    if (generation != detail::fork_generation()) renew(generation);
    const std::lock_guard guard(lock_);
    return core_;
}

/// By the first thread of the child that comes; others wait for it.
void thread_pool::renew(std::uint32_t generation) const {
    detail::spin_wait pause;
    if (generation != being_renewed && fork_generation_.compare_exchange_strong(generation, being_renewed)) {
        lock_.reset();
        auto anew = std::make_shared<core>(core_->options);
        new std::shared_ptr<core>(std::exchange(core_, std::move(anew)));
        fork_generation_.store(detail::fork_generation(), std::memory_order_release);
    }
    while (fork_generation_.load(std::memory_order_acquire) == being_renewed) pause.once();
}

void thread_pool::submit_job(unique_function<void()> job) { current()->submit(std::move(job)); }

bool thread_pool::try_submit_job(unique_function<void()> job) { return current()->try_submit(std::move(job)); }

void thread_pool::stop(queued what) { current()->stop(what); }

std::size_t thread_pool::size() const {
    const auto shared = current();
    const std::lock_guard guard(shared->mutex);
    return shared->running.size();
}

std::size_t thread_pool::waiting() const { return current()->jobs.size(); }

}  // namespace coir
