// <coir/fiber/fiber.hpp>: fibers that switch by hand, with greenlet's rules (src/fiber/README.md lists them).
//
// Nothing here needs a hub. A fiber belongs to the thread that first ran it, for good; what is called from another
// thread throws fiber_error before anything changes, except where it says otherwise.
#pragma once

#include <coir/base/error.hpp>
#include <coir/base/unique_function.hpp>
#include <coir/fiber/detail/fiber_core.hpp>
#include <coir/fiber/value.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace coir {

/// How a fiber is made. Aggregate: `coir::fiber({.name = "parser", .stack_size = 64 * 1024}, body)`.
struct fiber_options {
    std::string name = {};
    /// Bytes of address space; rounded up to whole pages, touched lazily. At least min_stack_size.
    std::size_t stack_size = default_stack_size;
};

/// What a trace callback is told: somebody switched, or threw into the target.
enum class trace_event { switched, thrown };

class fiber;
using trace_callback = std::function<void(trace_event event, const fiber& origin, const fiber& target)>;

/// A shared handle of a fiber; copying it is cheap. Dropping the last handle of a suspended fiber throws fiber_exit
/// into it, at once, so that the destructors on its stack run (from another thread: queued to the owner).
/// Handles may be copied and dropped on any thread.
/// Example: tests/fiber/fiber_test.cpp
class fiber {
public:
    /// An empty handle: compares equal to another empty one, switching to it is fiber_error.
    fiber() noexcept = default;

    /// A new fiber; nothing runs and no stack is taken. `body` is called by the first switch, with what that sent:
    /// it takes a value or nothing, and returns void or what converts to a value. The parent is the current fiber.
    /// Throws fiber_error for a null body or an absurd stack size.
    template <class Body>
    requires(!std::same_as<std::remove_cvref_t<Body>, fiber> &&
             (std::invocable<std::decay_t<Body>&, value> ||
              std::invocable<std::decay_t<Body>&>)) explicit fiber(Body&& body)
        : fiber(fiber_options{}, std::forward<Body>(body)) {}

    template <class Body>
    requires(std::invocable<std::decay_t<Body>&, value> || std::invocable<std::decay_t<Body>&>)
        fiber(const fiber_options& options, Body&& body)
        : core_(make(options, wrap(std::forward<Body>(body)))) {}

    /// The running fiber; on a thread that runs none, the thread's main fiber, its own stack. What is returned does
    /// not keep the fiber alive; a copy of it does.
    static const fiber& current();

    /// Runs this fiber until somebody switches back; `sent` is what its pending switch_to returns (or its body's
    /// argument). Returns what is sent to the *current* fiber, whoever sends it; throws what is thrown into it.
    /// To oneself: returns `sent`. To a dead fiber: goes to its nearest live ancestor.
    /// Suspends: yes, without the hub. Cancellation: is thrown in the fiber that was switched to, where that one is
    /// blocked, otherwise at the next blocking call. Throws fiber_error for a fiber of another thread and for one
    /// that is parked on the hub, queued to run or a task not yet started; std::bad_alloc or fiber_error when no
    /// stack is to be had (the fiber stays unstarted).
    value switch_to(value sent = {}) const;

    /// As switch_to, but `error` is thrown at this fiber's pending switch_to. An unstarted fiber dies without having
    /// run and its parent gets the error; for a dead one its nearest live ancestor; the current one throws here.
    value throw_in(std::exception_ptr error = std::make_exception_ptr(fiber_exit{})) const;

    /// The fiber that gets the result; an empty handle for a main fiber. A link to it does not keep it alive: a fiber
    /// lives as long as there are handles. One without, that is started for its child, because that one ends or is
    /// switched to when it is dead, gets fiber_exit at its first suspension.
    fiber parent() const;

    /// May be called at any time. fiber_error, and no change, for a cycle, a main fiber or another thread's fiber.
    void set_parent(const fiber& parent) const;

    /// It has been switched to at least once. Any thread.
    bool started() const noexcept;
    /// It has ended. Any thread.
    bool dead() const noexcept;
    /// Active: started and not dead. Any thread.
    explicit operator bool() const noexcept { return started() && !dead(); }
    /// As given in the options, or "main", or "fiber-<number>". Any thread.
    std::string name() const;

    friend bool operator==(const fiber&, const fiber&) noexcept = default;

    /// Installs a callback for this thread that sees every switch and throw, in the target's context; returns the
    /// former one. Null removes it. One that throws is removed and its error raised in the target.
    static trace_callback set_trace(trace_callback callback);

    /// Not for use outside coir.
    explicit fiber(detail::ref<detail::fiber_core> core) noexcept : core_(std::move(core)) {}
    detail::fiber_core* core() const noexcept { return core_.get(); }

private:
    using body_function = unique_function<value(value)>;

    template <class Body>
    static body_function wrap(Body&& body);
    static detail::ref<detail::fiber_core> make(const fiber_options& options, body_function body);

    detail::ref<detail::fiber_core> core_;
};

template <class Body>
fiber::body_function fiber::wrap(Body&& body) {
    using T = std::decay_t<Body>;
    if (detail::is_null_callable<T>(body)) return {};
    constexpr bool takes_value = std::invocable<T&, value>;
    return [body = T(std::forward<Body>(body))](value first) mutable -> value {
        auto call = [&]() -> decltype(auto) {
            if constexpr (takes_value) {
                return std::invoke(body, std::move(first));
            } else {
                return std::invoke(body);
            }
        };
        if constexpr (std::is_void_v<decltype(call())>) {
            call();
            return {};
        } else {
            return value(call());
        }
    };
}

}  // namespace coir
