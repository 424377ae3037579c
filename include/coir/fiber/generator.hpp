// <coir/fiber/generator.hpp>: a range whose elements a fiber produces one by one.
//
// The body is ordinary code on a stack of its own: it may yield from any depth of calls, and it may block on I/O or
// sleep, so that what other languages call an asynchronous generator is this one too.
#pragma once

#include <coir/base/pull_iterator.hpp>
#include <coir/fiber/detail/generator_core.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace coir {

/// An input range of `T`, each moved out of the body:
/// `generator<int> g([](auto& yield) { yield(1); yield.from(other()); yield(2); });`
///
/// Suspends: taking the next element may, if the body does. Cancellation and timeouts of the consumer are thrown in
/// the body where that is blocked. What the body throws arrives in the consumer. Dropping a generator half-way unwinds
/// the body. Threads: the body belongs to the thread that takes the first element; others get fiber_error, as does a
/// second consumer while one is waiting. Example: tests/fiber/generator_test.cpp
template <class T>
class generator {
    struct state;

public:
    /// What the body gets, to hand elements to the consumer.
    class yielder {
    public:
        void operator()(T element) {
            state_.element = std::addressof(element);
            state_.core.yield();
        }
        /// Yields each element of a range, or of another generator, which gives them away.
        template <std::ranges::input_range Range>
        void from(Range&& range) {
            if constexpr (requires { range.next(); }) {
                while (auto element = range.next()) (*this)(T(std::move(*element)));
            } else {
                for (auto&& element : range) (*this)(T(std::forward<decltype(element)>(element)));
            }
        }

    private:
        friend struct state;
        explicit yielder(state& s) noexcept : state_(s) {}
        state& state_;
    };

    /// Nothing runs before the first element is asked for. Throws fiber_error for a null body.
    template <class Body>
    requires(!std::same_as<std::remove_cvref_t<Body>, generator> &&
             std::invocable<std::decay_t<Body>&, yielder&>) explicit generator(Body&& body)
        : state_(std::make_unique<state>(std::forward<Body>(body))) {}

    /// The next element, or nothing at the end, and ever after.
    std::optional<T> next() {
        if (!state_ || !state_->core.resume()) return std::nullopt;
        return std::optional<T>(std::move(*state_->element));
    }

private:
    struct source {
        bool fetch() { return (from->current_ = from->next()).has_value(); }
        T& get() const noexcept { return *from->current_; }

        generator* from = nullptr;
    };

public:
    using iterator = detail::pull_iterator<T, source>;

    /// Begins with the first of the elements that are left.
    iterator begin() { return iterator({this}); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    struct state {
        template <class Body>
        explicit state(Body&& body) : core(wrap(*this, std::forward<Body>(body))) {}

        template <class Body>
        static unique_function<void()> wrap(state& self, Body&& body) {
            if (detail::is_null_callable<std::decay_t<Body>>(body)) return {};
            return [&self, body = std::decay_t<Body>(std::forward<Body>(body))]() mutable {
                yielder yield(self);
                std::invoke(body, yield);
            };
        }

        detail::generator_core core;
        T* element = nullptr;  // in the body's frame, until that is resumed
    };

    std::unique_ptr<state> state_;
    std::optional<T> current_;
};

}  // namespace coir
