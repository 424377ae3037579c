// <coir/testing/schedule.hpp>: steering in which order fibers run.
#pragma once

#include <cstdint>
#include <memory>

namespace coir::testing {

/// Lets the others run until all fibers of this thread but the calling one are parked: until nothing more happens
/// without time, I/O from outside or other threads. Suspends; a cancellation point. What it replaces is sleeping "long
/// enough". Example: tests/testing/schedule_test.cpp
void run_until_parked();

/// As long as it lives, it is chance that decides which of this thread's ready fibers runs next; the same seed gives the
/// same order again, as far as nothing but the order of fibers decides. select takes its choices from it too.
class random_schedule {
public:
    explicit random_schedule(std::uint64_t seed);
    random_schedule(const random_schedule&) = delete;
    random_schedule& operator=(const random_schedule&) = delete;
    ~random_schedule();

private:
    struct order;
    std::unique_ptr<order> order_;
};

}  // namespace coir::testing
