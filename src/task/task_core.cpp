#include <coir/task/detail/task_core.hpp>

#include "fiber/switch.hpp"
#include "hub/hub_core.hpp"

#include <cxxabi.h>

#include <fmt/format.h>

#include <atomic>
#include <utility>

namespace coir::detail {

namespace {

std::atomic<std::uint64_t> failures{0};

std::exception_ptr cancelled_before_start() {
    return std::make_exception_ptr(task_cancelled("cancelled before it started"));
}

}  // namespace

void launch(task_core& task) {
    hub_core& hub = hub_core::current();
    thread_state& thread = hub.thread();
    task.owner.store(&thread, std::memory_order_relaxed);
    task.owns_itself = true;
    task.refs.set(2);
    thread.fibers.push_back(task);
    hub.make_ready(task);
}

message task_core::run() {
    thread_state& thread = this_thread();
    std::exception_ptr error;
    try {
        arrived(thread);
        invoke();
    } catch (abi::__forced_unwind&) {
        throw;
    } catch (const cancelled&) {
        was_cancelled_ = true;
    } catch (const fiber_exit&) {
        was_cancelled_ = true;
    } catch (...) {
        error = std::current_exception();
    }
    drop_function();
    while (!interrupts.empty()) interrupts.pop_front();
    end_with(std::move(error));
    // Nobody else can get at the result any more: it goes on the task's own stack.
    if (refs.is_sole()) {
        report_if_unseen();
        drop_result();
    }
    return {};
}

void task_core::end_early(std::exception_ptr error) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const task_cancelled&) {
        was_cancelled_ = true;
        error = nullptr;
    } catch (...) {
    }
    unlink();
    set_state(fiber_state::dead);
    if (!is_started()) drop_function();
    end_with(std::move(error));
}

void task_core::end_with(std::exception_ptr error) noexcept {
    if (error) {
        error_ = std::move(error);
        failure_order_ = failures.fetch_add(1, std::memory_order_relaxed);
    }
    done_.finish();
}

task_core::~task_core() { report_if_unseen(); }

/// An error that nobody has waited for is told once, and the last chance is when no handle is left.
void task_core::report_if_unseen() noexcept {
    if (!error_ || observed_.exchange(true)) return;
    this_thread().report(name(), error_);
}

bool task_core::join(deadline limit) {
    if (this == &current_fiber()) throw fiber_error(fmt::format("task \"{}\" waits for its own end", name()));
    observe();
    return done_.wait(limit, {.what = "the end of task", .fiber = this});
}

void task_core::rethrow() {
    if (error_) std::rethrow_exception(error_);
    if (was_cancelled_) throw task_cancelled(fmt::format("task \"{}\" was cancelled", name()));
}

void task_core::cancel() noexcept {
    if (is_done()) return;
    thread_state& home = *owner.load(std::memory_order_relaxed);
    if (&home == this_thread_state) return cancel_here();
    const std::lock_guard guard(home.graveyard_lock);
    if (!home.sched) return;
    static_cast<hub_core*>(home.sched)->post([self = ref<task_core>(this)] { self->cancel_here(); });
}

void task_core::cancel_here() noexcept {
    if (is_done()) return;
    if (!is_started()) return end_early(cancelled_before_start());
    if (cancel_request_.is_linked() || cancel_in_flight) return;
    cancel_in_flight = state() == fiber_state::parked;
    hub_core::current().interrupt(*this, cancel_request_);
    if (cancel_request_.is_linked()) cancel_in_flight = false;
}

std::exception_ptr task_core::cancel_request::error() noexcept { return std::make_exception_ptr(cancelled{}); }

}  // namespace coir::detail
