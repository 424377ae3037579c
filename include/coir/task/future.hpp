// <coir/task/future.hpp>: a value that one side sets and the other waits for; as std::promise and std::future.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/ref.hpp>
#include <coir/task/detail/completion.hpp>

#include <exception>
#include <future>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace coir {

namespace detail {

/// Shared by a promise and its future. Each side's misuse is a std::future_error, as in std.
class future_core {
public:
    virtual ~future_core() = default;
    future_core(const future_core&) = delete;

    /// Reserves the one setting of it.
    void claim() {
        if (claimed_.exchange(true)) throw std::future_error(std::future_errc::promise_already_satisfied);
    }
    void unclaim() noexcept { claimed_.store(false); }
    bool is_claimed() const noexcept { return claimed_.load(); }

    void finish(std::exception_ptr error = nullptr) noexcept {
        error_ = std::move(error);
        done_.finish();
    }
    bool wait(deadline limit) { return done_.wait(limit, {"a future", this}); }
    bool is_done() const noexcept { return done_.is_done(); }
    void rethrow() {
        if (error_) std::rethrow_exception(std::move(error_));
    }

    void add_ref() noexcept { refs_.add(); }
    void drop_ref() noexcept {
        if (refs_.drop()) delete this;
    }

    bool future_taken = false;

protected:
    future_core() noexcept = default;

private:
    completion done_;
    std::exception_ptr error_;
    std::atomic<bool> claimed_{false};
    ref_count refs_;
};

template <class T>
class future_state final : public future_core {
public:
    using kept = std::conditional_t<std::is_void_v<T>, std::monostate,
                                    std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>>;
    std::optional<kept> value;
};

}  // namespace detail

/// The waiting side; moved, not copied. Waits suspend a fiber and block a plain thread. A cancellation point: throws
/// cancelled, and the value is not lost. Example: tests/task/future_test.cpp
template <class T>
class future {
public:
    future() noexcept = default;
    future(future&&) noexcept = default;
    future& operator=(future&&) noexcept = default;

    bool valid() const noexcept { return static_cast<bool>(state_); }
    /// Set already; never suspends.
    bool ready() const { return state().is_done(); }

    /// Waits, and takes the value, once: afterwards valid() is false. Rethrows what set_exception was given;
    /// std::future_error (broken_promise) when the promise has gone unset.
    T get() {
        state().wait(deadline::never());
        const auto taken = std::move(state_);
        taken->rethrow();
        if constexpr (std::is_void_v<T>) {
            return;
        } else if constexpr (std::is_reference_v<T>) {
            return static_cast<T>(**taken->value);
        } else {
            return std::move(*taken->value);
        }
    }

    void wait() const { state().wait(deadline::never()); }
    std::future_status wait_for(time_span limit) const { return wait_until(deadline::after(limit)); }
    std::future_status wait_until(deadline limit) const {
        return state().wait(limit) ? std::future_status::ready : std::future_status::timeout;
    }
    template <class Clock, class Duration>
    std::future_status wait_until(std::chrono::time_point<Clock, Duration> limit) const {
        return wait_until(deadline::at(limit));
    }

    /// Not for use outside coir.
    explicit future(detail::ref<detail::future_state<T>> state) noexcept : state_(std::move(state)) {}

private:
    detail::future_state<T>& state() const {
        if (!state_) throw std::future_error(std::future_errc::no_state);
        return *state_;
    }

    detail::ref<detail::future_state<T>> state_;
};

/// The setting side. Any thread, once; never suspends. One that goes unset breaks its promise.
template <class T>
class promise {
public:
    promise() : state_(detail::ref<detail::future_state<T>>::adopt(new detail::future_state<T>)) {}
    promise(promise&&) noexcept = default;
    promise& operator=(promise&& other) noexcept {
        promise(std::move(other)).swap(*this);
        return *this;
    }
    ~promise() {
        if (!state_ || state_->is_claimed()) return;
        state_->claim();
        state_->finish(std::make_exception_ptr(std::future_error(std::future_errc::broken_promise)));
    }

    /// Once; std::future_error (future_already_retrieved) after that.
    future<T> get_future() {
        if (std::exchange(state().future_taken, true)) {
            throw std::future_error(std::future_errc::future_already_retrieved);
        }
        return future<T>(state_);
    }

    /// std::future_error (promise_already_satisfied) the second time. If copying the value throws, it is still unset.
    void set_value() requires std::is_void_v<T> { emplace(); }
    template <class U = T>
    requires(!std::is_void_v<U>) void set_value(std::type_identity_t<U> value) { emplace(std::forward<U>(value)); }

    void set_exception(std::exception_ptr error) {
        state().claim();
        const auto keep = state_;
        keep->finish(std::move(error));
    }

    void swap(promise& other) noexcept { std::swap(state_, other.state_); }

private:
    template <class... Args>
    void emplace(Args&&... args) {
        state().claim();
        const auto keep = state_;  // who is woken may destroy the promise
        try {
            if constexpr (std::is_reference_v<T>) {
                state_->value.emplace(std::addressof(args)...);
            } else {
                state_->value.emplace(std::forward<Args>(args)...);
            }
        } catch (...) {
            state_->unclaim();
            throw;
        }
        keep->finish();
    }

    detail::future_state<T>& state() const {
        if (!state_) throw std::future_error(std::future_errc::no_state);
        return *state_;
    }

    detail::ref<detail::future_state<T>> state_;
};

}  // namespace coir
