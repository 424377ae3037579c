// Tests that fail, each in its own way; those of `passes` do not. Run by test_test.
#include <coir/fiber.hpp>
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

COIR_TEST(passes, with_nothing_left) {
    auto t = coir::spawn([] { coir::this_fiber::sleep_for(1ms); });
    t.join();
    EXPECT_EQ(coir::this_fiber::name(), "test");
}

COIR_TEST(passes, by_being_skipped) { GTEST_SKIP() << "not today"; }

COIR_TEST(fails, by_a_plain_expectation) { EXPECT_EQ(1, 2); }

COIR_TEST(fails, by_an_assertion_that_leaves) {
    ASSERT_EQ(1, 2) << "left here";
    ADD_FAILURE() << "not reached";
}

COIR_TEST(fails, by_throwing) { throw std::runtime_error("out of cheese"); }

COIR_TEST(fails, by_throwing_what_is_no_std_exception) { throw 42; }

COIR_TEST(fails, by_throwing_deadlock_itself) { throw coir::deadlock("says who"); }

COIR_TEST(fails, by_cancelling_itself) { throw coir::cancelled(); }

coir::event never;  // what still waits for it when a test has failed outlives the test's own variables
coir::mutex held;

COIR_TEST_WITH(fails, at_its_limit, .limit = 100ms) {
    auto t = coir::spawn({.name = "patient"}, [] { never.wait_for(1h); });
    t.join();
}

COIR_TEST_WITH(fails, at_its_limit_and_deaf, .limit = 100ms) {
    for (;;) {
        try {
            coir::this_fiber::sleep_for(1h);
        } catch (const coir::cancelled&) {
        }
    }
}

COIR_TEST_WITH(fails, at_its_limit_under_a_virtual_clock, .limit = 100ms) {
    const coir::testing::virtual_clock clock(coir::testing::virtual_clock::jumps::never);
    coir::this_fiber::sleep_for(1h);
}

COIR_TEST_WITH(fails, without_ever_suspending, .limit = 100ms) {
    for (volatile bool go_on = true; go_on;) {
    }
}

COIR_TEST(fails, in_a_deadlock) {
    held.lock();
    auto t = coir::spawn({.name = "locker"}, [] { held.lock(); });
    never.wait();
}

COIR_TEST(fails, in_a_deadlock_under_a_virtual_clock) {
    const coir::testing::virtual_clock clock;
    never.wait();
}

COIR_TEST(fails, in_a_deadlock_under_a_shield) {
    const coir::shield mask;
    never.wait();
}

COIR_TEST(fails, leaving_a_fiber) {
    coir::spawn({.name = "forgotten"}, [] { coir::this_fiber::sleep_for(1h); });
    coir::this_fiber::yield();
}

COIR_TEST(fails, leaving_a_task_that_has_not_started) {
    coir::spawn({.name = "unborn"}, [] { coir::this_fiber::sleep_for(1h); });
}

/// As globals they outlive the test.
std::unique_ptr<coir::timeout> timer;
std::unique_ptr<coir::generator<int>> suspended;
int pipe_ends[2];

COIR_TEST(fails, leaving_a_timer) { timer = std::make_unique<coir::timeout>(1h); }

COIR_TEST(fails, leaving_a_stack) {
    suspended = std::make_unique<coir::generator<int>>([](auto& yield) { yield(1); });
    suspended->next();
}

COIR_TEST(fails, leaving_descriptors) { ASSERT_EQ(::pipe(pipe_ends), 0); }

COIR_TEST(fails, twice_over) {
    ASSERT_EQ(::pipe(pipe_ends), 0);
    throw std::runtime_error("and a leak");
}

/// The order in which three run, in letters.
std::string order_of_three() {
    std::string order;
    std::vector<coir::task<void>> tasks;
    for (const char letter : {'a', 'b', 'c'}) {
        tasks.push_back(coir::spawn([&order, letter] { order += letter; }));
    }
    for (auto& t : tasks) t.join();
    return order;
}

COIR_TEST(ordered, fails_in_one_order_of_six) { EXPECT_NE(order_of_three(), "cba"); }

COIR_TEST(ordered, throws_in_one_order_of_six) {
    if (order_of_three() == "cba") throw std::runtime_error("cba");
}

COIR_TEST_WITH(ordered, is_first_come_first_served, .in_any_order = false) {
    EXPECT_EQ(order_of_three(), "abc");
    EXPECT_FALSE(coir::testing::current_seed());
}

COIR_TEST(ordered, tells_its_order) {
    const auto seed = coir::testing::current_seed();
    std::printf("seed %s order %s\n", seed ? std::to_string(*seed).c_str() : "none", order_of_three().c_str());
}

}  // namespace
