// <coir/hub/signal.hpp>: signals as something to wait for.
#pragma once

#include <coir/base/deadline.hpp>

#include <initializer_list>
#include <memory>
#include <optional>

namespace coir {

/// Catches some signals for as long as it lives, so that a fiber can wait for them:
/// `coir::signal_set stop{SIGINT, SIGTERM}; int which = stop.wait();`
///
/// The signal's former action comes back when the last set that holds it goes. Signals that arrive while nobody
/// waits are kept, each number once. Several sets may hold one signal; each is told. No signal mask is touched.
class signal_set {
public:
    /// Throws std::system_error for a number that cannot be caught.
    explicit signal_set(std::initializer_list<int> signals);
    signal_set(const signal_set&) = delete;
    signal_set& operator=(const signal_set&) = delete;
    ~signal_set();

    /// The number of a signal that has arrived; the lowest first. Suspends until there is one. A cancellation point;
    /// loses no signal when cancelled. For one fiber at a time, on one hub.
    int wait();
    /// The same, or nothing when the limit is over.
    std::optional<int> wait_for(time_span limit) { return wait_until(deadline::after(limit)); }
    std::optional<int> wait_until(deadline limit);
    /// Never suspends.
    std::optional<int> try_wait() noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace coir
