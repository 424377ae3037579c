// A task without its result's type. Not for use outside coir.
#pragma once

#include <coir/base/error.hpp>
#include <coir/base/unique_function.hpp>
#include <coir/fiber/detail/fiber_core.hpp>
#include <coir/task/detail/completion.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace coir::detail {

/// A fiber whose end somebody may wait for, and the request to cancel it. Its hub holds a reference until it is dead.
class task_core : public fiber_core, private interrupt {
public:
    task_core(std::string_view task_name, std::size_t size) : fiber_core(task_name, size, role::task) {}

    void run(thread_state& thread, message& last_words) final;
    void end_early(std::exception_ptr error) noexcept final;
    void cancel_here() noexcept final;

    /// Any thread.
    void cancel() noexcept;
    /// Cancels one that has not started; nothing for another.
    void never_run() noexcept { never_run_ = true; }
    bool is_done() noexcept { return done_.is_done() || is_lost(); }
    /// Suspends; throws fiber_error for the task itself. Counts as having seen its error. False when the limit was first.
    bool join(deadline limit) {
        const bool ended = done_.is_done() || wait_for_end(limit);
        if (ended) observe();
        return ended;
    }
    /// The same without a limit, for the most frequent wait of all.
    void join() {
        if (!done_.is_done()) wait_for_end(deadline::never());
        observe();
    }
    /// Requires is_done(). Throws its error, or task_cancelled.
    void rethrow() {
        if (error_ || was_cancelled_) [[unlikely]]
            throw_what_ended_it();
    }

    completion& done() noexcept { return done_; }
    wait_info what_is_waited_for() const noexcept { return {.what = "the end of task", .fiber = this}; }
    /// Requires is_done().
    bool has_failed() const noexcept { return error_ != nullptr; }
    bool was_cancelled() const noexcept { return was_cancelled_; }
    std::exception_ptr error() const noexcept { return error_; }
    /// The lower, the earlier it failed.
    std::uint64_t failure_order() const noexcept { return failure_order_; }
    void observe() noexcept { observed_.store(true, std::memory_order_relaxed); }

protected:
    ~task_core() { report_if_unseen(); }
    /// Calls the function, keeps its result, and destroys the function; not that if it throws.
    virtual void invoke() = 0;
    virtual void drop_function() noexcept = 0;
    virtual void drop_result() noexcept = 0;

private:
    std::exception_ptr to_throw() noexcept final;
    fiber_core* cancels() noexcept final { return this; }

    inline bool call(thread_state& thread, std::exception_ptr& error);
    bool wait_for_end(deadline limit);
    void end_with(std::exception_ptr& error) noexcept {
        if (error) [[unlikely]]
            keep(error);
        done_.finish();
    }
    void keep(std::exception_ptr& error) noexcept;
    [[noreturn]] void throw_what_ended_it();
    bool is_mine() const noexcept;
    bool is_lost() noexcept;
    /// An error that nobody has waited for is told once, and the last chance is when no handle is left.
    void report_if_unseen() noexcept {
        if (error_) [[unlikely]]
            report_error_if_unseen();
    }
    void report_error_if_unseen() noexcept;

    completion done_;
    std::exception_ptr error_;
    std::uint64_t failure_order_ = 0;
    bool was_cancelled_ = false;
    std::atomic<bool> never_run_{false};  // cancelled before it started
    std::atomic<bool> observed_{false};
};

[[noreturn]] void throw_empty_task();
[[noreturn]] void throw_result_moved_out(const task_core& task);

/// Puts a new task on the current hub's run queue. The caller gets the second reference.
void launch(task_core& task);

template <class R>
using kept = std::conditional_t<std::is_void_v<R>, std::monostate,
                                std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*, R>>;

template <class R>
class task_result : public task_core {
public:
    using task_core::task_core;
    std::optional<kept<R>> result;

protected:
    ~task_result() = default;
    void drop_result() noexcept override { result.reset(); }
};

template <class R, class Function, class... Args>
class task_state final : public task_result<R> {
public:
    template <class F, class... A>
    task_state(std::string_view task_name, std::size_t size, F&& function, A&&... args)
        : task_result<R>(task_name, size), call_(std::in_place, std::forward<F>(function), std::forward<A>(args)...) {}

    void destroy() noexcept override { delete this; }

protected:
    void invoke() override {
        if constexpr (std::is_void_v<R>) {
            std::apply(invoke_function, std::move(*call_));
            this->result.emplace();
        } else if constexpr (std::is_reference_v<R>) {
            auto&& referred = std::apply(invoke_function, std::move(*call_));
            this->result.emplace(std::addressof(referred));
        } else {
            this->result.emplace(std::apply(invoke_function, std::move(*call_)));
        }
        task_state::drop_function();
    }
    void drop_function() noexcept override { call_.reset(); }

private:
    static constexpr auto invoke_function = []<class... T>(T&&... t) -> R {
        return std::invoke(std::forward<T>(t)...);
    };

    std::optional<std::tuple<Function, Args...>> call_;
};

/// A new task: its function and arguments are copied or moved into it.
template <class Function, class... Args>
auto make_task(std::string_view name, std::size_t stack_size, Function&& function, Args&&... args) {
    using R = std::invoke_result_t<std::decay_t<Function>, std::decay_t<Args>...>;
    using state = task_state<R, std::decay_t<Function>, std::decay_t<Args>...>;
    if (is_null_callable<std::decay_t<Function>>(function)) {
        throw fiber_error("a null function cannot be spawned (task \"" + std::string(name) + "\")");
    }
    check_stack_size(stack_size, name);
    return ref<task_result<R>>::adopt(
        new state(name, stack_size, std::forward<Function>(function), std::forward<Args>(args)...));
}

}  // namespace coir::detail
