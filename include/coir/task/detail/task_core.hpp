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
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace coir::detail {

/// A fiber whose end somebody may wait for. Its hub holds a reference until it is dead.
class task_core : public fiber_core, private completion {
public:
    task_core(std::string_view task_name, std::size_t size) : fiber_core(task_name, size, role::task) {}

    void run(thread_state& thread, message& last_words) final;
    void end_early(std::exception_ptr error) noexcept final;
    void cancel_here() noexcept final;

    /// Any thread.
    void cancel() noexcept;
    /// Cancels one that has not started; nothing for another.
    void never_run() noexcept { never_run_ = true; }
    bool is_done() noexcept { return completion::is_done() || is_lost(); }
    /// Suspends; throws fiber_error for the task itself. Counts as having seen its error. False when the limit was first.
    bool join(deadline limit) {
        const bool ended = completion::is_done() || wait_for_end(limit);
        if (ended) observe();
        return ended;
    }
    /// The same without a limit, for the most frequent wait of all.
    void join() {
        if (!completion::is_done()) wait_for_end(deadline::never());
        observe();
    }
    /// Requires is_done(). Throws its error, or task_cancelled.
    void rethrow() {
        if (error_ || was_cancelled_) [[unlikely]]
            throw_what_ended_it();
    }

    completion& done() noexcept { return *this; }
    wait_info what_is_waited_for() const noexcept { return {.what = "the end of task", .fiber = this}; }
    /// Requires is_done().
    bool has_failed() const noexcept { return error_ != nullptr; }
    bool was_cancelled() const noexcept { return was_cancelled_; }
    std::exception_ptr error() const noexcept { return error_; }
    /// Of two that have failed. The count may have gone round.
    bool failed_before(const task_core& other) const noexcept {
        return static_cast<std::int32_t>(failure_number - other.failure_number) < 0;
    }
    void observe() noexcept { observed_.store(true, std::memory_order_relaxed); }

protected:
    ~task_core() { report_if_unseen(); }
    /// Calls the function, keeps its result, and destroys the function; not that if it throws.
    virtual void invoke() = 0;
    virtual void drop_function() noexcept = 0;
    virtual void drop_result() noexcept = 0;

private:
    inline bool call(thread_state& thread, std::exception_ptr& error);
    bool wait_for_end(deadline limit);
    void end_with(std::exception_ptr& error) noexcept {
        if (error) [[unlikely]]
            keep(error);
        finish();
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

    bool was_cancelled_ = false;
    std::atomic<bool> never_run_{false};  // cancelled before it started
    std::atomic<bool> observed_{false};

protected:
    // Of what derived classes hold.
    bool has_function_ = false;
    bool has_result_ = false;

private:
    std::exception_ptr error_;
};

[[noreturn]] void throw_empty_task();
[[noreturn]] void throw_result_moved_out(const task_core& task);

/// Puts a new task on the current hub's run queue. The caller gets the second reference.
void launch(task_core& task);

template <class R>
using kept = std::conditional_t<std::is_void_v<R>, std::monostate,
                                std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*, R>>;

/// Of a million tasks each byte counts: a std::optional would have its flag, and what fills it up, beside each of the two.
template <class R>
class task_result : public task_core {
public:
    task_result(std::string_view task_name, std::size_t size) : task_core(task_name, size) {}

    bool has_result() const noexcept { return has_result_; }
    /// Requires has_result().
    auto& result() noexcept { return result_; }
    void drop_result() noexcept override {
        if (std::exchange(has_result_, false)) std::destroy_at(std::addressof(result_));
    }

protected:
    ~task_result() { task_result::drop_result(); }

    template <class... Value>
    void keep_result(Value&&... value) {
        std::construct_at(std::addressof(result_), std::forward<Value>(value)...);
        has_result_ = true;
    }

private:
    union {
        std::remove_const_t<kept<R>> result_;
    };
};

template <class R, class Function, class... Args>
class task_state final : public task_result<R> {
public:
    template <class F, class... A>
    task_state(std::string_view task_name, std::size_t size, F&& function, A&&... args)
        : task_result<R>(task_name, size), call_(std::forward<F>(function), std::forward<A>(args)...) {
        this->has_function_ = true;
    }
    ~task_state() { task_state::drop_function(); }

    void destroy() noexcept override { delete this; }

protected:
    void invoke() override {
        if constexpr (std::is_void_v<R>) {
            std::apply(invoke_function, std::move(call_));
            this->keep_result();
        } else if constexpr (std::is_reference_v<R>) {
            auto&& referred = std::apply(invoke_function, std::move(call_));
            this->keep_result(std::addressof(referred));
        } else {
            this->keep_result(std::apply(invoke_function, std::move(call_)));
        }
        task_state::drop_function();
    }
    void drop_function() noexcept override {
        if (std::exchange(this->has_function_, false)) std::destroy_at(std::addressof(call_));
    }

private:
    static constexpr auto invoke_function = []<class... T>(T&&... t) -> R {
        return std::invoke(std::forward<T>(t)...);
    };

    union {
        std::tuple<Function, Args...> call_;
    };
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
