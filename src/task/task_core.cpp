#include <coir/task/detail/task_core.hpp>

#include "fiber/switch.hpp"
#include "hub/hub_core.hpp"
#include "task/completion_inline.hpp"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <new>
#include <string>
#include <utility>

namespace coir::detail {

namespace {

std::atomic<std::uint32_t> failures{0};

/// An error on its way to the pool's hub that ran the task, whose handler knows it. Those hubs come to all that is sent
/// to them, or drop it; another one may be left lying when the process ends.
class unseen_error final : public remote_item {
public:
    unseen_error(std::string_view task, std::exception_ptr&& error) : task_(task), error_(std::move(error)) {}

    /// False, and it is not sent, if that thread is no pool's any more.
    bool send_to(thread_state& home, std::uint32_t number) noexcept {
        if (home.is_lost) return false;  // and the lock may be held for ever
        const std::lock_guard guard(home.graveyard_lock);
        auto* hub = static_cast<hub_core*>(home.sched);
        return hub && home.number == number && hub->serves_a_pool && hub->send(*this);
    }
    void run_on_hub(hub_core&) noexcept override { tell(); }
    void drop() noexcept override { tell(); }  // by a hub that ends before it gets to it
    void tell() noexcept {
        this_thread().report(task_, std::move(error_));
        delete this;
    }

private:
    const std::string task_;
    std::exception_ptr error_;
};

/// On a thread that has no hub yet.
[[gnu::noinline]] void launch_first(task_core& task) {
    hub_core::current();
    launch(task);
}

}  // namespace

void launch(task_core& task) {
    hub_core* hub = hub_core::of_this_thread();
    if (!hub) [[unlikely]]
        return launch_first(task);
    thread_state& thread = hub->thread();
    thread.number_fiber(task);
    task.owner.store(&thread, std::memory_order_relaxed);
    task.owns_itself = true;
    task.refs.set(2);
    thread.fibers.push_back(task);
    hub->make_ready(task);
}

/// Whether the function has returned, and so is gone. What has escaped it is the error, but for a cancellation.
[[gnu::always_inline]] inline bool task_core::call(thread_state& thread, std::exception_ptr& error) {
    try {
        arrived(thread);
        if (!never_run_) [[likely]] {
            invoke();
            return true;
        }
        was_cancelled_ = true;
    } catch (const cancelled&) {
        was_cancelled_ = true;
    } catch (const fiber_exit&) {
        was_cancelled_ = true;
    } catch (...) {
        error = std::current_exception();
        if (!error) throw;  // pthread_exit unwinds with what is no exception of C++
    }
    return false;
}

void task_core::run(thread_state& thread, message&) {
    std::exception_ptr error;  // its own alone until it has ended: in a fork's child it may never do so
    if (!call(thread, error)) drop_function();  // here, on its own stack
    forget_interrupts();
    end_with(error);
    // Nobody else can get at the result any more: it goes on the task's own stack.
    if (refs.is_sole()) {
        report_if_unseen();
        drop_result();
    }
}

void task_core::end_early(std::exception_ptr error) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const task_cancelled&) {
        was_cancelled_ = true;
        error = nullptr;
    } catch (...) {
    }
    forget_interrupts();
    unlink();
    set_state(fiber_state::dead);
    end_with(error);
}

/// In the child of a fork: its thread has stayed behind, so that it reads as cancelled.
bool task_core::is_lost() noexcept {
    if (!owner.load(std::memory_order_relaxed)->is_lost.load(std::memory_order_relaxed)) return false;
    was_cancelled_ = true;
    finish_after_fork();
    return true;
}

void task_core::keep(std::exception_ptr& error) noexcept {
    error_ = std::move(error);
    failure_number = failures.fetch_add(1, std::memory_order_relaxed);
}

void task_core::report_error_if_unseen() noexcept {
    if (observed_.exchange(true)) return;
    if (is_mine()) return this_thread().report(name(), error_);
    try {
        auto* item = new unseen_error(name(), std::move(error_));
        if (!item->send_to(*owner.load(), owner_number)) item->tell();
    } catch (const std::bad_alloc&) {
        this_thread().report(name(), error_);
    }
}

bool task_core::wait_for_end(deadline limit) {
    hub_core* here = hub_core::of_this_thread();
    if (!here) [[unlikely]]
        return is_lost() || wait(limit, what_is_waited_for());
    if (this == here->thread().current) [[unlikely]]
        throw fiber_error(fmt::format("task \"{}\" waits for its own end", name()));
    return is_lost() || wait_here(*here, limit, what_is_waited_for());
}

void throw_empty_task() { throw fiber_error("an empty task handle: assign the result of coir::spawn to it first"); }

void throw_result_moved_out(const task_core& task) {
    throw fiber_error(fmt::format("the result of task \"{}\" has been moved out before", task.name()));
}

void task_core::throw_what_ended_it() {
    if (error_) std::rethrow_exception(error_);
    throw task_cancelled(fmt::format("task \"{}\" was cancelled", name()));
}

bool task_core::is_mine() const noexcept { return owner.load() == this_thread_state; }

void task_core::cancel() noexcept {
    if (is_done()) return;
    thread_state& home = *owner.load();
    if (&home == this_thread_state) return cancel_here();
    if (!is_started()) never_run_ = true;  // if that is so still; otherwise it is told what follows
    const std::lock_guard guard(home.graveyard_lock);
    if (!home.sched) return;
    static_cast<hub_core*>(home.sched)->post([self = ref<task_core>(this)] { self->cancel_here(); });
}

void task_core::cancel_here() noexcept {
    if (is_done()) return;
    if (!is_mine()) return cancel();  // another hub of its pool has taken it meanwhile
    if (!is_started()) {
        never_run_ = true;
        // Who takes it now becomes its owner first and looks at the flag then.
        if (!is_mine()) cancel();
        return;
    }
    cancel_request& request = stack->cancellation;
    if (request.is_linked() || cancel_in_flight) return;
    request.task = this;
    hub_core::current().interrupt(*this, request);
    cancel_in_flight = !request.is_linked();
}

}  // namespace coir::detail
