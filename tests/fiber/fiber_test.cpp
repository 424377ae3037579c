// Switching as a program uses it; the rules have fiber_rules_test.cpp and fiber_parents_test.cpp.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace {

using coir::fiber;
using coir::value;
using fiber_switch = fiber_tests::clean_test;
using fiber_handle = fiber_tests::clean_test;

TEST_F(fiber_switch, two_fibers_play_ping_pong) {
    std::string heard;
    fiber a, b;
    a = fiber([&](value v) -> value {
        heard += v.as<const char*>();
        value got = b.switch_to(1);
        heard += got.as<std::string>();
        return 7;
    });
    b = fiber([&](value v) -> value {
        heard += std::to_string(v.as<int>());
        a.switch_to(std::string("pong"));
        return {};
    });
    value result = a.switch_to("ping");
    EXPECT_EQ(result.as<int>(), 7);
    EXPECT_EQ(heard, "ping1pong");
    EXPECT_TRUE(a.dead());
    EXPECT_FALSE(b.dead());
}

TEST_F(fiber_switch, bodies_take_a_value_or_nothing_and_return_anything_or_nothing) {
    EXPECT_FALSE(fiber([] {}).switch_to(1).has_value());
    EXPECT_FALSE(fiber([](value) {}).switch_to(1).has_value());
    EXPECT_EQ(fiber([] { return 3; }).switch_to().as<int>(), 3);
    EXPECT_EQ(fiber([](value v) { return v; }).switch_to(4).as<int>(), 4);
    EXPECT_EQ(*fiber([] { return std::make_unique<int>(5); }).switch_to().as<std::unique_ptr<int>>(), 5);
    int (*plain)() = [] { return 6; };
    EXPECT_EQ(fiber(plain).switch_to().as<int>(), 6);
}

TEST_F(fiber_switch, move_only_values_travel_both_ways) {
    const fiber main = fiber::current();
    fiber doubles([&](value v) {
        for (;;) {
            auto p = std::move(v).as<std::unique_ptr<int>>();
            *p *= 2;
            v = main.switch_to(std::move(p));
        }
    });
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(*doubles.switch_to(std::make_unique<int>(i)).as<std::unique_ptr<int>>(), 2 * i);
    }
}

TEST_F(fiber_switch, locals_and_calls_at_any_depth_survive) {
    const fiber main = fiber::current();
    std::function<int(int)> descend = [&](int depth) {
        const int mine = depth * 3;
        main.switch_to(depth);
        return depth == 0 ? 0 : mine + descend(depth - 1);
    };
    fiber one([&] { return descend(20); }), two([&] { return descend(20); });
    for (int depth = 20; depth >= 0; --depth) {
        EXPECT_EQ(one.switch_to().as<int>(), depth);
        EXPECT_EQ(two.switch_to().as<int>(), depth);
    }
    EXPECT_EQ(one.switch_to().as<int>(), 3 * 210);
    EXPECT_EQ(two.switch_to().as<int>(), 3 * 210);
}

TEST_F(fiber_switch, a_ring_of_a_hundred_passes_a_value_on) {
    std::vector<fiber> ring(100);
    const fiber main = fiber::current();
    for (std::size_t i = 0; i < ring.size(); ++i) {
        ring[i] = fiber([&, i](value v) {
            for (;;) {
                const int n = v.as<int>() + 1;
                v = i + 1 < ring.size() ? ring[i + 1].switch_to(n) : main.switch_to(n);
            }
        });
    }
    for (int round = 0; round < 50; ++round) EXPECT_EQ(ring[0].switch_to(0).as<int>(), 100);
}

TEST_F(fiber_switch, a_hundred_thousand_switches_leave_no_trace) {
    const fiber main = fiber::current();
    long sum = 0;
    fiber adds([&](value v) {
        for (;;) {
            sum += v.as<int>();
            v = main.switch_to();
        }
    });
    for (int i = 0; i < 100'000; ++i) adds.switch_to(i);
    EXPECT_EQ(sum, 4'999'950'000);
}

TEST_F(fiber_switch, making_and_ending_many_reuses_one_stack) {
    auto& stacks = coir::detail::this_thread().stacks;
    const std::size_t before = stacks.in_use();
    for (int i = 0; i < 20'000; ++i) {
        EXPECT_EQ(fiber([](value v) { return v; }).switch_to(i).as<int>(), i);
        ASSERT_EQ(stacks.in_use(), before);
    }
}

TEST_F(fiber_handle, of_nothing) {
    const fiber none;
    EXPECT_EQ(none, fiber());
    EXPECT_FALSE(none);
    EXPECT_FALSE(none.started());
    EXPECT_FALSE(none.dead());
    EXPECT_EQ(none.name(), "");
    EXPECT_EQ(none.parent(), none);
    EXPECT_NE(fiber_tests::refusal([&] { none.switch_to(); }), "");
    EXPECT_NE(fiber_tests::refusal([&] { none.throw_in(); }), "");
    EXPECT_NE(fiber_tests::refusal([&] { none.set_parent(fiber::current()); }), "");
    EXPECT_NE(fiber_tests::refusal([&] { fiber([] {}).set_parent(none); }), "");
}

TEST_F(fiber_handle, null_bodies_are_refused) {
    void (*no_function)() = nullptr;
    EXPECT_NE(fiber_tests::refusal([&] { fiber{no_function}; }), "");
    EXPECT_NE(fiber_tests::refusal([&] { fiber{std::function<void()>()}; }), "");
    const std::string text =
        fiber_tests::refusal([&] { fiber({.name = "anna"}, coir::unique_function<value(value)>()); });
    EXPECT_NE(text.find("anna"), std::string::npos) << text;
}

TEST_F(fiber_handle, null_errors_are_refused_before_anything_changes) {
    fiber f([] {});
    EXPECT_NE(fiber_tests::refusal([&] { f.throw_in(nullptr); }), "");
    EXPECT_FALSE(f.dead());
    f.switch_to();
    EXPECT_TRUE(f.dead());
}

TEST_F(fiber_handle, copies_are_the_same_fiber) {
    fiber a([] { return fiber::current() == fiber::current(); });
    const fiber b = a;
    EXPECT_EQ(a, b);
    EXPECT_TRUE(b.switch_to().as<bool>());
    EXPECT_TRUE(a.dead());
    EXPECT_NE(a, fiber([] {}));
    const fiber moved = std::move(a);
    EXPECT_EQ(moved, b);
    EXPECT_EQ(a, fiber());
}

TEST_F(fiber_handle, tells_state_and_name) {
    const fiber main = fiber::current();
    EXPECT_EQ(main.name(), "main");
    fiber f({.name = "anna"}, [&] { main.switch_to(); });
    EXPECT_EQ(f.name(), "anna");
    EXPECT_TRUE(!f.started() && !f.dead() && !f);
    f.switch_to();
    EXPECT_TRUE(f.started() && !f.dead() && f);
    f.switch_to();
    EXPECT_TRUE(f.started() && f.dead() && !f);
    EXPECT_EQ(f.name(), "anna");
    const fiber one([] {}), two([] {});
    EXPECT_EQ(one.name().rfind("fiber-", 0), 0u) << one.name();
    EXPECT_NE(one.name(), two.name());
}

TEST_F(fiber_handle, current_is_the_running_one_and_never_dead_at_its_first_breath) {
    fiber f, seen;
    bool was_active = false;
    f = fiber([&] {
        seen = fiber::current();
        was_active = seen.started() && !seen.dead() && static_cast<bool>(seen);
    });
    f.switch_to();
    EXPECT_EQ(seen, f);
    EXPECT_TRUE(was_active);
    EXPECT_NE(seen, fiber::current());
}

}  // namespace
