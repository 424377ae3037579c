// <coir/base/unique_function.hpp>: std::move_only_function for compilers that lack it.
#pragma once

#include <cstddef>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {
/// A null function pointer, or an empty std::function and the like. Lambdas never are.
template <class F>
constexpr bool is_null_callable(const F& f) noexcept {
    if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
        return f == nullptr;
    } else if constexpr (std::is_constructible_v<bool, const F&> && !std::is_convertible_v<const F&, bool>) {
        return !static_cast<bool>(f);
    } else {
        return false;
    }
}
}  // namespace detail

template <class Signature>
class unique_function;

/// Owns one callable; moved, never copied. Small ones (six words, nothrow movable) live inside.
template <class R, class... Args>
class unique_function<R(Args...)> {
public:
    unique_function() noexcept = default;
    unique_function(std::nullptr_t) noexcept {}

    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, unique_function> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>) unique_function(F&& f) {
        using T = std::decay_t<F>;
        if (detail::is_null_callable<T>(f)) return;
        if constexpr (is_small<T>) {
            new (room_) T(std::forward<F>(f));
        } else {
            new (room_) T*(new T(std::forward<F>(f)));
        }
        call_ = &calls_of<T>;
    }

    unique_function(unique_function&& other) noexcept { take(other); }
    unique_function& operator=(unique_function&& other) noexcept {
        unique_function taken(std::move(other));  // it may be part of what is destroyed now
        reset();
        take(taken);
        return *this;
    }
    ~unique_function() { reset(); }

    explicit operator bool() const noexcept { return call_ != nullptr; }
    /// Requires a callable.
    R operator()(Args... args) { return call_->invoke(room_, std::forward<Args>(args)...); }

    /// Destroys the callable and what it captured.
    void reset() noexcept {
        if (call_) std::exchange(call_, nullptr)->destroy(room_);
    }

private:
    struct calls {
        R (*invoke)(void*, Args&&...);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };

    static constexpr std::size_t room_size = 6 * sizeof(void*);

    template <class T>
    static constexpr bool is_small = sizeof(T) <= room_size &&
                                     alignof(T) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<T>;

    template <class T>
    static T& object(void* room) noexcept {
        if constexpr (is_small<T>) {
            return *std::launder(static_cast<T*>(room));
        } else {
            return **std::launder(static_cast<T**>(room));
        }
    }

    template <class T>
    static constexpr calls calls_of = {
        [](void* room, Args&&... args) -> R {
            return static_cast<R>(std::invoke(object<T>(room), std::forward<Args>(args)...));
        },
        [](void* from, void* to) noexcept {
            if constexpr (is_small<T>) {
                new (to) T(std::move(object<T>(from)));
                object<T>(from).~T();
            } else {
                new (to) T*(&object<T>(from));
            }
        },
        [](void* room) noexcept {
            if constexpr (is_small<T>) {
                object<T>(room).~T();
            } else {
                delete &object<T>(room);
            }
        },
    };

    void take(unique_function& other) noexcept {
        if (!other.call_) return;
        other.call_->move(other.room_, room_);
        call_ = std::exchange(other.call_, nullptr);
    }

    alignas(std::max_align_t) std::byte room_[room_size];
    const calls* call_ = nullptr;
};

}  // namespace coir
