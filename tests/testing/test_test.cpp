// COIR_TEST is tested from outside: failing_tests holds tests that fail, and here is what they must say.
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <cstdio>
#include <regex>
#include <string>

namespace {

struct outcome {
    int status;
    std::string text;

    bool has_passed() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
    bool says(const std::string& what) const { return text.find(what) != std::string::npos; }
    std::size_t count(const std::string& what) const {
        std::size_t times = 0;
        for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++times;
        return times;
    }
};

/// Runs one of failing_tests in a process of its own, for 30 s at most; `environment` as "COIR_SEED=1".
outcome run(const std::string& test, const std::string& environment = "") {
    const std::string command = "env -u COIR_SEED -u COIR_SEEDS " + environment +
                                " timeout 30 " FAILING_TESTS " --gtest_filter=" + test + " 2>&1";
    FILE* const pipe = ::popen(command.c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    outcome result{};
    char part[4096];
    while (const std::size_t n = std::fread(part, 1, sizeof part, pipe)) result.text.append(part, n);
    const int status = ::pclose(pipe);
    // The shell that popen starts replaces itself or tells of a signal as 128 + its number.
    result.status = status;
    return result;
}

#define EXPECT_FAILS_SAYING(result, what)     \
    EXPECT_FALSE(result.has_passed());        \
    EXPECT_TRUE(result.says("[  FAILED  ]")); \
    EXPECT_TRUE(result.says(what)) << result.text

TEST(coir_test, passes_where_nothing_is_wrong) {
    const outcome o = run("passes.with_nothing_left");
    EXPECT_TRUE(o.has_passed()) << o.text;
    EXPECT_TRUE(o.says("1 test.")) << o.text;
}

TEST(coir_test, may_be_skipped) {
    const outcome o = run("passes.by_being_skipped", "COIR_SEEDS=10");
    EXPECT_TRUE(o.has_passed()) << o.text;
    EXPECT_EQ(o.count("not today"), 1u) << o.text;
}

TEST(coir_test, fails_as_any_test) {
    EXPECT_FAILS_SAYING(run("fails.by_a_plain_expectation"), "failing_tests.cpp");
    const outcome left = run("fails.by_an_assertion_that_leaves");
    EXPECT_FAILS_SAYING(left, "left here");
    EXPECT_FALSE(left.says("not reached"));
}

TEST(coir_test, fails_when_its_body_throws) {
    EXPECT_FAILS_SAYING(run("fails.by_throwing"), "the test threw out of cheese");
    EXPECT_FAILS_SAYING(run("fails.by_throwing_what_is_no_std_exception"), "an exception of type int");
    EXPECT_FAILS_SAYING(run("fails.by_throwing_deadlock_itself"), "says who");
    EXPECT_FAILS_SAYING(run("fails.by_cancelling_itself"), "cancelled");
}

TEST(coir_test, fails_at_its_limit_and_tells_who_waits_for_what) {
    const outcome o = run("fails.at_its_limit");
    EXPECT_FAILS_SAYING(o, "not over within its limit of 0.1 s");
    EXPECT_TRUE(o.says("\"test\" waits for the end of task \"patient\"")) << o.text;
    EXPECT_TRUE(o.says("\"patient\" waits for event")) << o.text;
}

TEST(coir_test, its_limit_is_of_real_time) {
    EXPECT_FAILS_SAYING(run("fails.at_its_limit_under_a_virtual_clock"), "not over within its limit of 0.1 s");
}

TEST(coir_test, a_body_that_ignores_its_limit_is_aborted) {
    for (const char* test : {"fails.at_its_limit_and_deaf", "fails.without_ever_suspending"}) {
        const outcome o = run(test);
        EXPECT_FALSE(o.has_passed());
        EXPECT_TRUE(o.says("it never suspends, or ignores its cancellation")) << o.text;
        EXPECT_TRUE(o.says("Aborted") || WIFSIGNALED(o.status) || WEXITSTATUS(o.status) == 128 + SIGABRT) << o.status;
    }
}

TEST(coir_test, fails_in_a_deadlock_and_tells_who_waits_for_what) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
#endif
    const outcome o = run("fails.in_a_deadlock");
    EXPECT_FAILS_SAYING(o, "deadlock: nothing in this process can end these waits");
    EXPECT_TRUE(o.says("\"test\" waits for event")) << o.text;
    EXPECT_TRUE(o.says("\"locker\" waits for mutex")) << o.text;
    EXPECT_FAILS_SAYING(run("fails.in_a_deadlock_under_a_virtual_clock"), "\"test\" waits for event");
}

TEST(coir_test, fails_in_a_deadlock_under_a_shield) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
#endif
    const outcome o = run("fails.in_a_deadlock_under_a_shield");
    EXPECT_FALSE(o.has_passed());
    EXPECT_TRUE(o.says("\"test\" waits for event")) << o.text;
}

TEST(coir_test, fails_for_what_it_leaves_behind) {
    const outcome fiber = run("fails.leaving_a_fiber");
    EXPECT_FAILS_SAYING(fiber, "fibers are left over");
    EXPECT_TRUE(fiber.says("\"forgotten\" waits for")) << fiber.text;
    EXPECT_FAILS_SAYING(run("fails.leaving_a_task_that_has_not_started"), "\"unborn\"");
    EXPECT_FAILS_SAYING(run("fails.leaving_a_timer"), "1 timers are left over");
    EXPECT_FAILS_SAYING(run("fails.leaving_a_stack"), "1 stacks are left over");
    const outcome descriptors = run("fails.leaving_descriptors");
    EXPECT_FAILS_SAYING(descriptors, "is left over: pipe:");
    EXPECT_EQ(descriptors.count("is left over: pipe:"), 2u) << descriptors.text;
}

TEST(coir_test, tells_all_that_is_wrong) {
    const outcome o = run("fails.twice_over");
    EXPECT_FAILS_SAYING(o, "and a leak");
    EXPECT_TRUE(o.says("is left over: pipe:")) << o.text;
}

/// The seed that a failure names; "" if none.
std::string seed_told(const outcome& o) {
    std::smatch found;
    return std::regex_search(o.text, found, std::regex("in the order of COIR_SEED=([0-9]+)")) ? found[1]
                                                                                              : std::string();
}

TEST(coir_test, tells_the_seed_of_a_failure_which_fails_again) {
    for (const std::string test : {"ordered.fails_in_one_order_of_six", "ordered.throws_in_one_order_of_six"}) {
        EXPECT_TRUE(run(test).has_passed()) << "first come, first served";
        const outcome found = run(test, "COIR_SEEDS=1000");
        EXPECT_FALSE(found.has_passed());
        const std::string seed = seed_told(found);
        ASSERT_NE(seed, "") << found.text;
        EXPECT_EQ(found.count("in the order of COIR_SEED="), 1u) << "up to the first failure";
        for (int i = 0; i < 5; ++i) {
            const outcome again = run(test, "COIR_SEED=" + seed);
            EXPECT_FALSE(again.has_passed());
            EXPECT_EQ(seed_told(again), seed) << again.text;
        }
        // The seeds before it have passed.
        EXPECT_TRUE(run(test, "COIR_SEEDS=" + std::to_string(std::stoul(seed) - 1)).has_passed());
    }
}

TEST(coir_test, runs_once_for_each_seed_and_the_same_orders_again) {
    const outcome plain = run("ordered.tells_its_order");
    EXPECT_EQ(plain.count("seed none order abc"), 1u) << plain.text;
    const outcome first = run("ordered.tells_its_order", "COIR_SEEDS=50");
    EXPECT_TRUE(first.has_passed()) << first.text;
    EXPECT_EQ(first.count(" order "), 50u);
    for (int seed = 1; seed <= 50; seed += 7) {
        const std::string line = "seed " + std::to_string(seed) + " order ";
        const std::size_t at = first.text.find(line);
        ASSERT_NE(at, std::string::npos) << first.text;
        const outcome again = run("ordered.tells_its_order", "COIR_SEED=" + std::to_string(seed));
        EXPECT_TRUE(again.says(first.text.substr(at, line.size() + 3))) << again.text;
        EXPECT_EQ(again.count(" order "), 1u);
    }
}

TEST(coir_test, may_be_kept_from_random_orders) {
    EXPECT_TRUE(run("ordered.is_first_come_first_served", "COIR_SEEDS=50").has_passed());
    EXPECT_TRUE(run("ordered.is_first_come_first_served", "COIR_SEED=3").has_passed());
}

TEST(coir_test, a_seed_that_is_no_number_is_an_error) {
    for (const std::string bad : {"COIR_SEED=x", "COIR_SEED=1x", "COIR_SEEDS=many"}) {
        EXPECT_FAILS_SAYING(run("passes.with_nothing_left", bad), bad + " is not a number");
    }
    EXPECT_TRUE(run("passes.with_nothing_left", "COIR_SEED=").has_passed());
}

}  // namespace
