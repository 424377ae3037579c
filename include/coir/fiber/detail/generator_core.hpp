// What every generator<T> stands on. Not for use outside coir.
#pragma once

#include <coir/base/unique_function.hpp>
#include <coir/fiber/fiber.hpp>

namespace coir::detail {

/// A fiber that gives way to whoever resumes it, again and again.
class generator_core {
public:
    explicit generator_core(unique_function<void()> body) : fiber_(wrap(std::move(body))) {}

    /// Runs the body to its next yield; false when it has ended. Throws what the body throws, and fiber_error when
    /// another fiber is inside resume(), or somebody but the body has switched to the consumer.
    bool resume();

    /// In the body: back to the consumer. Throws fiber_exit when the generator has been dropped.
    void yield();

private:
    static fiber wrap(unique_function<void()> body);

    fiber fiber_;
    fiber_core* consumer_ = nullptr;
    bool has_yielded_ = false;
};

}  // namespace coir::detail
