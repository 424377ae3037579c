// <coir/testing/test.hpp>: tests that run in a fiber, under a time limit, and leave nothing behind. For GoogleTest.
//
// COIR_TEST(channel, keeps_the_order) { ... EXPECT_EQ(...) ... }
//
// is a TEST whose body is a task named "test". It fails, too, when the body throws, when it is not over within its time
// limit (the text lists who waits for what), when nothing can ever wake it (coir::deadlock), and when fibers, timers,
// stacks or descriptors are left over at the end.
//
// The environment decides about the order in which fibers run:
//   COIR_SEEDS=1000  runs each body 1,000 times, in random orders from the seeds 1 to 1,000, up to the first failure,
//                    whose seed is told;
//   COIR_SEED=417    runs it once, in the order of that seed.
// Example: tests/testing/test_test.cpp
#pragma once

#include <coir/base/deadline.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coir::testing {

struct test_options {
    /// Of real time, also under a virtual clock.
    time_span limit = std::chrono::seconds(60);
    /// Also to be run in random orders; false for what needs first come, first served to be true.
    bool in_any_order = true;
};

/// The seed of the order in which fibers run; none where it is first come, first served.
std::optional<std::uint64_t> current_seed() noexcept;

namespace detail {

using seed = std::optional<std::uint64_t>;

/// The orders that the environment asks for.
std::vector<seed> wanted_seeds(const test_options& options);
/// What went wrong; "" if nothing did.
std::string run_once(const test_options& options, seed order, void (*body)());

inline void run(const test_options& options, void (*body)()) {
    for (const seed order : wanted_seeds(options)) {
        const std::string wrong = run_once(options, order, body);
        if (!wrong.empty()) ADD_FAILURE() << wrong;
        if (::testing::Test::HasFailure() && order) ADD_FAILURE() << "in the order of COIR_SEED=" << *order;
        if (::testing::Test::HasFailure() || ::testing::Test::IsSkipped()) return;
    }
}

}  // namespace detail
}  // namespace coir::testing

/// COIR_TEST_WITH(suite, name, .limit = 5s) { ... }
#define COIR_TEST_WITH(suite, name, ...)                                                           \
    static void coir_test_##suite##_##name();                                                      \
    TEST(suite, name) { ::coir::testing::detail::run({__VA_ARGS__}, coir_test_##suite##_##name); } \
    static void coir_test_##suite##_##name()

#define COIR_TEST(suite, name) COIR_TEST_WITH(suite, name, .in_any_order = true)
