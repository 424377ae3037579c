// <coir/fiber/fiber_local.hpp>: a variable of which each fiber has its own.
#pragma once

#include <coir/base/unique_function.hpp>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

using local_deleter = void (*)(void*) noexcept;

std::uint64_t next_local_key() noexcept;
/// The current fiber's value for the key; null when it has none.
void* find_local(std::uint64_t key) noexcept;
/// Takes the object over. Throws std::bad_alloc.
void add_local(std::uint64_t key, std::unique_ptr<void, local_deleter> object);

}  // namespace detail

/// What thread_local is to threads. A fiber's value is made at its first access, is not inherited from whoever made
/// the fiber, and is destroyed when the fiber ends, on its own stack, even if the fiber_local is gone by then.
/// A thread's main fiber counts as one, and ends with its thread; that of main() does not, since returning from main is
/// an exit(), which ends no fiber. Does not suspend; any thread; throws what making the value throws.
/// Example: tests/fiber/fiber_local_test.cpp
template <class T>
class fiber_local {
public:
    fiber_local() requires std::is_default_constructible_v<T> : fiber_local([] { return T(); }) {}
    /// `make` gives each fiber its first value.
    explicit fiber_local(unique_function<T()> make) : make_(std::move(make)) {}
    fiber_local(const fiber_local&) = delete;
    fiber_local& operator=(const fiber_local&) = delete;

    T& get() {
        if (void* found = detail::find_local(key_)) return *static_cast<T*>(found);
        std::unique_ptr<void, detail::local_deleter> made(
            new T(make_()), [](void* object) noexcept { delete static_cast<T*>(object); });
        T& value = *static_cast<T*>(made.get());
        detail::add_local(key_, std::move(made));
        return value;
    }
    T& operator*() { return get(); }
    T* operator->() { return &get(); }
    fiber_local& operator=(T value) {
        get() = std::move(value);
        return *this;
    }

private:
    std::uint64_t key_ = detail::next_local_key();
    unique_function<T()> make_;
};

}  // namespace coir
