// <coir/fiber/value.hpp>: what travels through a switch: anything that can be moved, or nothing.
#pragma once

#include <any>
#include <cstddef>
#include <new>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace coir {

/// A move-only std::any. Empty is a valid value ("nothing was sent"). Objects of up to four words that move without
/// throwing live inside; larger ones are allocated. Arrays decay as in std::any: value("x") holds a const char*.
/// Example: tests/fiber/value_test.cpp
class value {
public:
    value() noexcept {}

    /// Holds a copy of `object`, or takes an rvalue over.
    template <class T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, value> && std::is_constructible_v<std::decay_t<T>, T>)
        value(T&& object) {
        using U = std::decay_t<T>;
        if constexpr (is_small<U>) {
            new (room_) U(std::forward<T>(object));
        } else {
            new (room_) U*(new U(std::forward<T>(object)));
        }
        kind_ = &kind_of<U>;
    }

    value(value&& other) noexcept { take(other); }
    value& operator=(value&& other) noexcept {
        value taken(std::move(other));  // it may be part of what is destroyed now
        reset();
        take(taken);
        return *this;
    }
    ~value() { reset(); }

    bool has_value() const noexcept { return kind_ != nullptr; }
    /// typeid(void) when empty.
    const std::type_info& type() const noexcept { return kind_ ? *kind_->type : typeid(void); }
    /// Makes it empty.
    void reset() noexcept {
        if (kind_) std::exchange(kind_, nullptr)->destroy(room_);
    }

    /// The object, if it is exactly a T; null otherwise.
    template <class T>
    T* get_if() noexcept {
        const bool is_t = kind_ && (kind_ == &kind_of<T> || *kind_->type == typeid(T));
        return is_t ? &object<T>(room_) : nullptr;
    }
    template <class T>
    const T* get_if() const noexcept {
        return const_cast<value*>(this)->get_if<T>();
    }

    /// The object; throws std::bad_any_cast unless it is exactly a T. From an rvalue it is moved out:
    /// `int n = f.switch_to().as<int>();`
    template <class T>
    T& as() & {
        if (T* found = get_if<T>()) return *found;
        throw std::bad_any_cast();
    }
    template <class T>
    const T& as() const& {
        return const_cast<value*>(this)->as<T>();
    }
    template <class T>
    T as() && {
        return std::move(as<T>());
    }

private:
    struct kind {
        const std::type_info* type;
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };

    static constexpr std::size_t room_size = 4 * sizeof(void*);

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
    static constexpr kind kind_of = {
        &typeid(T),
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

    void take(value& other) noexcept {
        if (!other.kind_) return;
        other.kind_->move(other.room_, room_);
        kind_ = std::exchange(other.kind_, nullptr);
    }

    alignas(std::max_align_t) std::byte room_[room_size];
    const kind* kind_ = nullptr;
};

}  // namespace coir
