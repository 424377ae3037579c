// Rule 12: a callback that sees every switch and throw of its thread.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using coir::fiber;
using coir::trace_event;

class fiber_trace : public fiber_tests::clean_test {
protected:
    void TearDown() override { fiber::set_trace(nullptr); }

    coir::trace_callback recorder() {
        return [this](trace_event event, const fiber& from, const fiber& to) {
            EXPECT_EQ(to, fiber::current()) << "called in the target's context";
            seen.push_back((event == trace_event::thrown ? "throw " : "") + from.name() + ">" + to.name());
        };
    }
    using list = std::vector<std::string>;
    list seen;
    const fiber main = fiber::current();
};

TEST_F(fiber_trace, rule_12_sees_starts_switches_and_ends) {
    fiber::set_trace(recorder());
    fiber a({.name = "a"}, [&] { main.switch_to(); });
    fiber b({.name = "b"}, [&] { a.switch_to(); });
    a.switch_to();
    b.switch_to();
    EXPECT_EQ(seen, list({"main>a", "a>main", "main>b", "b>a", "a>main"}));
    seen.clear();
    b = {};
    EXPECT_EQ(seen, list({"throw main>b", "b>main"}));
}

TEST_F(fiber_trace, rule_12_sees_an_error_that_leaves_a_body_as_a_throw) {
    fiber::set_trace(recorder());
    fiber a({.name = "a"}, [] { throw 1; });
    EXPECT_THROW(a.switch_to(), int);
    EXPECT_EQ(seen, list({"main>a", "throw a>main"}));
}

TEST_F(fiber_trace, rule_12_does_not_see_what_does_not_switch) {
    fiber::set_trace(recorder());
    main.switch_to();
    EXPECT_THROW(main.throw_in(std::make_exception_ptr(1)), int);
    fiber unstarted([] {});
    unstarted.throw_in();
    unstarted.switch_to();
    EXPECT_NE(fiber_tests::refusal([] { fiber().switch_to(); }), "");
    EXPECT_EQ(seen, list());
}

TEST_F(fiber_trace, rule_12_set_trace_returns_the_former_one_and_null_removes_it) {
    EXPECT_FALSE(fiber::set_trace(recorder()));
    int others = 0;
    coir::trace_callback former = fiber::set_trace([&](auto, auto&, auto&) { ++others; });
    ASSERT_TRUE(former);
    fiber([] {}).switch_to();
    EXPECT_EQ(others, 2);
    EXPECT_EQ(seen, list());
    fiber::set_trace(std::move(former));
    fiber({.name = "a"}, [] {}).switch_to();
    EXPECT_EQ(seen, list({"main>a", "a>main"}));
    fiber::set_trace(nullptr);
    fiber([] {}).switch_to();
    EXPECT_EQ(seen.size(), 2u);
}

TEST_F(fiber_trace, rule_12_one_that_throws_is_removed_and_its_error_raised_in_the_target) {
    int calls = 0;
    fiber f([&] {
        EXPECT_THROW(main.switch_to(), std::runtime_error);
        return 5;
    });
    f.switch_to();
    fiber::set_trace([&](auto, auto&, auto&) {
        ++calls;
        throw std::runtime_error("trace");
    });
    EXPECT_EQ(f.switch_to().as<int>(), 5);
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(fiber::set_trace(nullptr));
}

TEST_F(fiber_trace, rule_12_its_error_at_a_first_switch_ends_the_fiber_before_its_body) {
    bool ran = false;
    fiber f([&] { ran = true; });
    fiber::set_trace([](auto, auto&, auto&) { throw std::runtime_error("trace"); });
    EXPECT_THROW(f.switch_to(), std::runtime_error);
    EXPECT_TRUE(f.dead());
    EXPECT_FALSE(ran);
}

TEST_F(fiber_trace, rule_12_what_it_does_itself_is_not_traced) {
    int calls = 0;
    fiber::set_trace([&](auto, auto&, auto&) {
        ++calls;
        fiber([] {}).switch_to();
    });
    fiber([] {}).switch_to();
    EXPECT_EQ(calls, 2);
}

TEST_F(fiber_trace, rule_12_belongs_to_its_thread) {
    fiber::set_trace(recorder());
    std::thread([] {
        EXPECT_FALSE(fiber::set_trace(nullptr));
        fiber([] {}).switch_to();
    }).join();
    EXPECT_EQ(seen, list());
}

}  // namespace
