#include <coir/testing/schedule.hpp>

#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>

namespace coir::testing {

void run_until_parked() { detail::hub_core::current().yield_until_parked(); }

struct random_schedule::order final : detail::schedule {
    explicit order(std::uint64_t seed) : state(seed) {}

    std::size_t choose(std::size_t count) noexcept override { return next() % count; }

    /// splitmix64, so that neighbouring seeds give unrelated orders, and the same ones everywhere.
    std::uint64_t next() noexcept {
        std::uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    std::uint64_t state;
};

random_schedule::random_schedule(std::uint64_t seed) : order_(std::make_unique<order>(seed)) {
    detail::hub_core& hub = detail::hub_core::current();
    if (hub.order()) throw fiber_error("this thread has a random_schedule already");
    hub.run_in_order_of(order_.get());
}

random_schedule::~random_schedule() { detail::hub_core::current().run_in_order_of(nullptr); }

}  // namespace coir::testing
