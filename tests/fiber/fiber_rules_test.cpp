// One test or more for each rule of src/fiber/README.md, named after it. Rule 3 and 7 have more in
// fiber_parents_test.cpp, rule 8 in fiber_destruction_test.cpp, rule 9 in fiber_thread_test.cpp, rule 11 in
// fiber_exceptions_test.cpp, rule 12 in fiber_trace_test.cpp. Rule 10 needs a hub: see tests/task.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using coir::fiber;
using coir::fiber_exit;
using coir::value;
using fiber_tests::on_leaving;
using fiber_tests::refusal;
using fiber_rules = fiber_tests::clean_test;

std::exception_ptr error(const char* text) { return std::make_exception_ptr(std::runtime_error(text)); }

TEST_F(fiber_rules, rule_01_creating_runs_nothing_and_takes_no_stack) {
    const std::size_t before = coir::detail::this_thread().stacks.in_use();
    bool ran = false;
    {
        const fiber f([&] { ran = true; });
        EXPECT_EQ(coir::detail::this_thread().stacks.in_use(), before);
        EXPECT_TRUE(coir::detail::this_thread().fibers.empty());
    }
    EXPECT_FALSE(ran);
}

TEST_F(fiber_rules, rule_01_the_parent_is_the_current_fiber) {
    EXPECT_EQ(fiber([] {}).parent(), fiber::current());
    fiber child;
    fiber f([&] {
        child = fiber([] {});
        return child.parent() == fiber::current();
    });
    EXPECT_TRUE(f.switch_to().as<bool>());
    EXPECT_EQ(child.parent(), f);
}

TEST_F(fiber_rules, rule_01_the_first_value_is_the_argument) {
    fiber f([](value v) { return v.as<int>() + 1; });
    EXPECT_EQ(f.switch_to(41).as<int>(), 42);
    EXPECT_FALSE(fiber([](value v) { return v.has_value(); }).switch_to().as<bool>());
}

TEST_F(fiber_rules, rule_01_the_main_fiber_has_no_parent_and_is_not_dead) {
    const fiber main = fiber::current();
    EXPECT_EQ(main.parent(), fiber());
    EXPECT_TRUE(main.started());
    EXPECT_FALSE(main.dead());
    EXPECT_TRUE(main);
}

TEST_F(fiber_rules, rule_02_a_switch_returns_what_anyone_later_sends) {
    const fiber main = fiber::current();
    int got = 0;
    fiber waits([&] { got = main.switch_to().as<int>(); });
    waits.switch_to();
    fiber stranger([&] { waits.switch_to(99); });
    stranger.switch_to();
    EXPECT_EQ(got, 99);
    EXPECT_TRUE(waits.dead());
    EXPECT_FALSE(stranger.dead()) << "the result went to main, the parent of both";
}

TEST_F(fiber_rules, rule_02_switching_to_oneself_returns_the_argument) {
    EXPECT_EQ(fiber::current().switch_to(5).as<int>(), 5);
    fiber f([] { return fiber::current().switch_to(std::make_unique<int>(6)); });
    EXPECT_EQ(*f.switch_to().as<std::unique_ptr<int>>(), 6);
}

TEST_F(fiber_rules, rule_03_the_result_goes_to_the_parent_and_not_to_the_last_switcher) {
    std::vector<std::string> order;
    fiber child([&](value) -> value { return 1; });
    fiber stranger([&] {
        child.switch_to();
        order.push_back("stranger must not get here");
    });
    EXPECT_EQ(stranger.switch_to().as<int>(), 1);
    EXPECT_TRUE(order.empty());
    EXPECT_TRUE(stranger);
}

TEST_F(fiber_rules, rule_03_an_error_goes_to_the_parent_and_not_to_the_last_switcher) {
    bool strangers_catch = false;
    fiber child([] { throw std::runtime_error("for my parent"); });
    fiber stranger([&] {
        try {
            child.switch_to();
        } catch (const std::exception&) {
            strangers_catch = true;
        }
    });
    EXPECT_THROW(stranger.switch_to(), std::runtime_error);
    EXPECT_FALSE(strangers_catch);
    EXPECT_TRUE(child.dead());
}

TEST_F(fiber_rules, rule_03_a_dead_parent_hands_on_to_the_next_live_ancestor) {
    fiber middle([] {});
    fiber child([] { return 7; });
    child.set_parent(middle);
    middle.switch_to();
    EXPECT_TRUE(middle.dead());
    EXPECT_EQ(child.switch_to().as<int>(), 7);
}

TEST_F(fiber_rules, rule_03_an_unstarted_parent_is_started_with_the_value) {
    fiber parent([](value v) { return v.as<int>() * 2; });
    fiber child([] { return 21; });
    child.set_parent(parent);
    EXPECT_EQ(child.switch_to().as<int>(), 42);
    EXPECT_TRUE(child.dead() && parent.dead());
}

TEST_F(fiber_rules, rule_04_switching_to_a_dead_fiber_goes_to_its_nearest_live_ancestor) {
    fiber f([] {});
    f.switch_to();
    EXPECT_EQ(f.switch_to(25).as<int>(), 25) << "from that ancestor itself: like oneself";
    const fiber main = fiber::current();
    fiber waits([&] { return main.switch_to().as<int>() + 1; });
    waits.switch_to();
    f.set_parent(waits);
    EXPECT_EQ(f.switch_to(1).as<int>(), 2);
    EXPECT_EQ(f.switch_to(3).as<int>(), 3) << "looked up anew each time";
}

TEST_F(fiber_rules, rule_04_an_unstarted_ancestor_of_a_dead_fiber_is_started) {
    fiber f([] {});
    f.switch_to();
    fiber late([](value v) { return v.as<int>() + 10; });
    f.set_parent(late);
    EXPECT_EQ(f.switch_to(1).as<int>(), 11);
    EXPECT_TRUE(late.dead());
}

TEST_F(fiber_rules, rule_05_an_uncaught_fiber_exit_arrives_as_a_value) {
    fiber f([] { throw fiber_exit{}; });
    value got = f.switch_to();
    EXPECT_NE(got.get_if<fiber_exit>(), nullptr);
    EXPECT_TRUE(f.dead());
}

TEST_F(fiber_rules, rule_05_fiber_exit_and_cancelled_are_not_std_exceptions) {
    static_assert(!std::is_base_of_v<std::exception, fiber_exit>);
    static_assert(!std::is_base_of_v<std::exception, coir::cancelled>);
    const fiber main = fiber::current();
    bool swallowed = false;
    fiber f([&] {
        try {
            main.switch_to();
        } catch (const std::exception&) {
            swallowed = true;
        }
    });
    f.switch_to();
    EXPECT_TRUE(f.throw_in().get_if<fiber_exit>());
    EXPECT_FALSE(swallowed);
    EXPECT_TRUE(f.dead());
}

TEST_F(fiber_rules, rule_06_throwing_into_an_unstarted_fiber_never_runs_it) {
    bool ran = false;
    fiber f([&] { ran = true; });
    EXPECT_THROW(f.throw_in(error("too late")), std::runtime_error);
    EXPECT_TRUE(f.dead());
    EXPECT_FALSE(ran);
    EXPECT_FALSE(f.started());
    fiber g([&] { ran = true; });
    EXPECT_TRUE(g.throw_in().get_if<fiber_exit>());
    EXPECT_TRUE(g.dead() && !ran);
}

TEST_F(fiber_rules, rule_06_the_parent_of_an_unstarted_fiber_gets_the_error) {
    const fiber main = fiber::current();
    std::string caught;
    fiber parent([&] {
        try {
            main.switch_to();
        } catch (const std::runtime_error& e) {
            caught = e.what();
        }
        return 3;
    });
    parent.switch_to();
    fiber child([] {});
    child.set_parent(parent);
    EXPECT_EQ(child.throw_in(error("for the parent")).as<int>(), 3);
    EXPECT_EQ(caught, "for the parent");
}

TEST_F(fiber_rules, rule_06_throwing_into_a_dead_fiber_goes_to_its_nearest_live_ancestor) {
    fiber f([] {});
    f.switch_to();
    EXPECT_THROW(f.throw_in(error("here")), std::runtime_error);
    EXPECT_TRUE(f.throw_in().get_if<fiber_exit>()) << "an exit is eaten";
    const fiber main = fiber::current();
    fiber waits([&] { main.switch_to(); });
    waits.switch_to();
    f.set_parent(waits);
    EXPECT_THROW(f.throw_in(error("through waits")), std::runtime_error);
    EXPECT_TRUE(waits.dead());
}

TEST_F(fiber_rules, rule_06_throwing_into_the_current_fiber_throws_here) {
    EXPECT_THROW(fiber::current().throw_in(error("here")), std::runtime_error);
    EXPECT_THROW(fiber::current().throw_in(), fiber_exit);
    fiber f([] {
        EXPECT_THROW(fiber::current().throw_in(error("there")), std::runtime_error);
        return 1;
    });
    EXPECT_EQ(f.switch_to().as<int>(), 1);
}

TEST_F(fiber_rules, rule_06_a_target_may_catch_go_on_and_answer_the_thrower) {
    const fiber main = fiber::current();
    fiber f([&] {
        for (;;) {
            try {
                main.switch_to(0);
            } catch (const std::runtime_error& e) {
                main.switch_to(std::string(e.what()) + "!");
            }
        }
    });
    f.switch_to();
    EXPECT_EQ(f.throw_in(error("one")).as<std::string>(), "one!");
    EXPECT_EQ(f.switch_to().as<int>(), 0);
    EXPECT_EQ(f.throw_in(error("two")).as<std::string>(), "two!");
}

TEST_F(fiber_rules, rule_07_the_parent_may_change_at_any_time) {
    const fiber main = fiber::current();
    fiber target([&] { return main.switch_to().as<int>() + 1; });
    target.switch_to();
    fiber f([&] {
        main.switch_to();
        return 1;
    });
    f.set_parent(target);
    EXPECT_EQ(f.parent(), target);
    f.set_parent(main);
    f.switch_to();
    f.set_parent(target);
    EXPECT_EQ(f.switch_to().as<int>(), 2) << "takes effect at the end";
    f.set_parent(main);
    EXPECT_EQ(f.parent(), main);
}

TEST_F(fiber_rules, rule_07_cycles_and_main_fibers_are_refused_and_nothing_changes) {
    const fiber main = fiber::current();
    fiber a([] {}), b([] {}), c([] {});
    b.set_parent(a);
    c.set_parent(b);
    EXPECT_NE(refusal([&] { a.set_parent(a); }), "");
    EXPECT_NE(refusal([&] { a.set_parent(b); }), "");
    EXPECT_NE(refusal([&] { a.set_parent(c); }), "");
    EXPECT_NE(refusal([&] { main.set_parent(a); }), "");
    EXPECT_EQ(a.parent(), main);
    EXPECT_EQ(b.parent(), a);
    EXPECT_EQ(c.parent(), b);
    EXPECT_EQ(main.parent(), fiber());
}

TEST_F(fiber_rules, rule_08_dropping_the_last_handle_unwinds) {
    const fiber main = fiber::current();
    int left = 0;
    fiber f([&] {
        const on_leaving outer(left), inner(left);
        main.switch_to();
    });
    f.switch_to();
    fiber copy = f;
    f = {};
    EXPECT_EQ(left, 0);
    copy = {};
    EXPECT_EQ(left, 2) << "at once";
}

TEST_F(fiber_rules, rule_09_a_fiber_of_another_thread_is_refused) {
    const fiber main = fiber::current();
    fiber f([&] { main.switch_to(); });
    f.switch_to();
    std::string by_switch, by_throw;
    std::thread([&] {
        by_switch = refusal([&] { f.switch_to(); });
        by_throw = refusal([&] { f.throw_in(); });
    }).join();
    EXPECT_NE(by_switch.find(f.name()), std::string::npos) << by_switch;
    EXPECT_NE(by_throw, "");
    EXPECT_TRUE(f) << "nothing has changed";
    f.switch_to();
    EXPECT_TRUE(f.dead());
}

TEST_F(fiber_rules, rule_11_the_exception_in_flight_is_the_fibers_own) {
    const fiber main = fiber::current();
    try {
        throw std::runtime_error("mine");
    } catch (...) {
        fiber f([&] {
            EXPECT_EQ(std::current_exception(), nullptr);
            try {
                throw 2;
            } catch (int) {
                main.switch_to();
            }
        });
        f.switch_to();
        EXPECT_THROW(throw, std::runtime_error);
        f.switch_to();
    }
}

TEST_F(fiber_rules, rule_12_a_trace_sees_every_switch_and_throw) {
    const fiber main = fiber::current();
    std::vector<std::string> seen;
    fiber::set_trace([&](coir::trace_event event, const fiber& from, const fiber& to) {
        seen.push_back((event == coir::trace_event::thrown ? "throw " : "") + from.name() + ">" + to.name());
    });
    {
        fiber f({.name = "f"}, [&] { main.switch_to(); });
        f.switch_to();
        f.throw_in();
    }
    fiber::set_trace(nullptr);
    EXPECT_EQ(seen, std::vector<std::string>({"main>f", "f>main", "throw main>f", "f>main"}));
}

}  // namespace
