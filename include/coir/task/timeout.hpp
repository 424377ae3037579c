// <coir/task/timeout.hpp>: time limits over a scope, whatever is called inside it.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>
#include <coir/fiber/detail/fiber_core.hpp>
#include <coir/hub/detail/timer.hpp>

#include <functional>
#include <utility>

namespace coir {

/// Throws timed_out inside its scope, at the current fiber's present or next suspension, once the time is over:
/// `{ coir::timeout limit(200ms); stream.read_exactly(buffer); }`
///
/// Scopes nest; each throws once, and owns() tells one's own from an outer one's. Time that is over while the fiber
/// does not suspend interrupts nothing: if the operation was done, its result counts. Does not suspend itself. To be
/// destroyed by the fiber that made it. Example: tests/task/timeout_test.cpp
class [[nodiscard]] timeout {
public:
    explicit timeout(time_span limit) : timeout(deadline::after(limit)) {}
    explicit timeout(deadline limit);
    timeout(const timeout&) = delete;
    timeout& operator=(const timeout&) = delete;
    ~timeout();

    /// The time is over.
    bool expired() const noexcept { return expired_; }
    /// It was this scope that threw it.
    bool owns(const timed_out& error) const noexcept { return error.scope() == this; }

private:
    struct alarm final : detail::timer {
        explicit alarm(timeout& t) noexcept : owner(t) {}
        void expire() noexcept override;
        timeout& owner;
    };
    struct notice final : detail::interrupt {
        explicit notice(timeout& t) noexcept : owner(t) {}
        std::exception_ptr to_throw() noexcept override;
        timeout& owner;
    };

    alarm alarm_{*this};
    notice notice_{*this};
    bool expired_ = false;
};

/// Calls `function` under a limit: its result, or timed_out.
template <class Function, class... Args>
decltype(auto) wait_for(time_span limit, Function&& function, Args&&... args) {
    const timeout scope(limit);
    return std::invoke(std::forward<Function>(function), std::forward<Args>(args)...);
}

}  // namespace coir
