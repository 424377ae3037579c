// Rule 8: what becomes of a fiber that nobody holds any more.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using coir::fiber;
using coir::fiber_exit;
using coir::value;
using fiber_tests::at_exit;
using fiber_tests::on_leaving;
using fiber_destruction = fiber_tests::clean_test;
using fiber_destruction_death = fiber_tests::clean_test;

TEST_F(fiber_destruction, rule_08_the_destroyer_is_the_parent_meanwhile) {
    const fiber main = fiber::current();
    fiber destroyer, victim, parent_then;
    victim = fiber([&] {
        const at_exit looks([&] { parent_then = fiber::current().parent(); });
        main.switch_to();
    });
    victim.switch_to();
    destroyer = fiber([&] {
        victim = {};
        return 1;
    });
    EXPECT_EQ(destroyer.switch_to().as<int>(), 1);
    EXPECT_EQ(parent_then, destroyer);
}

TEST_F(fiber_destruction, rule_08_an_unstarted_fiber_is_freed_with_what_it_captured) {
    int left = 0;
    {
        const fiber f([owned = std::make_shared<on_leaving>(left)] { return owned.use_count(); });
        EXPECT_EQ(left, 0);
    }
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_destruction, rule_08_what_the_body_captured_goes_when_it_ends_and_on_its_own_stack) {
    fiber where;
    auto probe = std::make_unique<at_exit<std::function<void()>>>([&] { where = fiber::current(); });
    fiber f([probe = std::move(probe)] {});
    f.switch_to();
    EXPECT_EQ(where, f);
}

TEST_F(fiber_destruction, rule_08_catching_fiber_exit_and_returning_is_an_end) {
    const fiber main = fiber::current();
    bool caught = false;
    fiber f([&] {
        try {
            main.switch_to();
        } catch (const fiber_exit&) {
            caught = true;
        }
    });
    f.switch_to();
    f = {};
    EXPECT_TRUE(caught);
}

TEST_F(fiber_destruction, rule_08_one_that_ignores_it_gets_it_again_at_each_suspension) {
    const fiber main = fiber::current();
    int exits = 0;
    fiber f([&] {
        while (exits < 100) {
            try {
                main.switch_to();
            } catch (const fiber_exit&) {
                ++exits;
            }
        }
    });
    f.switch_to();
    f = {};
    EXPECT_EQ(exits, 100);
}

TEST_F(fiber_destruction, rule_08_another_error_on_the_way_out_is_reported_and_does_not_hurt_the_destroyer) {
    const fiber main = fiber::current();
    fiber f({.name = "victim"}, [&] {
        try {
            main.switch_to();
        } catch (const fiber_exit&) {
            throw std::runtime_error("on the way out");
        }
    });
    f.switch_to();
    testing::internal::CaptureStderr();
    f = {};
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("victim"), std::string::npos) << text;
    EXPECT_NE(text.find("on the way out"), std::string::npos) << text;
}

TEST_F(fiber_destruction, rule_08_one_that_drops_itself_gets_fiber_exit_at_its_next_switch) {
    const fiber main = fiber::current();
    int left = 0;
    std::unique_ptr<fiber> f;
    f = std::make_unique<fiber>([&] {
        const on_leaving leaving(left);
        f.reset();
        EXPECT_EQ(left, 0);
        main.switch_to(std::make_unique<int>(5));
        ADD_FAILURE() << "never gets here";
    });
    EXPECT_TRUE(f->switch_to().get_if<fiber_exit>());
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_destruction, rule_08_one_that_drops_itself_and_returns_has_simply_ended) {
    std::unique_ptr<fiber> f;
    f = std::make_unique<fiber>([&] {
        f.reset();
        return 9;
    });
    EXPECT_EQ(f->switch_to().as<int>(), 9);
}

TEST_F(fiber_destruction, rule_08_current_does_not_keep_a_fiber_alive_and_a_copy_does) {
    const fiber main = fiber::current();
    int left = 0;
    fiber kept;
    auto f = std::make_unique<fiber>([&] {
        const on_leaving leaving(left);
        const fiber& me = fiber::current();
        kept = me;
        main.switch_to();
    });
    f->switch_to();
    f.reset();
    EXPECT_EQ(left, 0);
    kept = {};
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_destruction, rule_08_a_dying_fiber_may_drop_and_make_others) {
    const fiber main = fiber::current();
    int left = 0;
    auto nest = [&](auto& self, int depth) -> fiber {
        fiber inner = depth > 0 ? self(self, depth - 1) : fiber();
        fiber f([&, held = std::make_unique<fiber>(std::move(inner))] {
            const on_leaving leaving(left);
            const at_exit works([] { EXPECT_EQ(fiber([] { return 1; }).switch_to().as<int>(), 1); });
            main.switch_to();
        });
        f.switch_to();
        return f;
    };
    {
        const fiber outermost = nest(nest, 20);
        EXPECT_EQ(left, 0);
    }
    EXPECT_EQ(left, 21);
}

TEST_F(fiber_destruction, rule_08_a_value_in_flight_to_a_dropped_fiber_is_not_lost) {
    const fiber main = fiber::current();
    auto sent = std::make_shared<int>(1);
    {
        fiber f([&](value v) { main.switch_to(std::move(v)); });
        value back = f.switch_to(sent);
        EXPECT_EQ(sent.use_count(), 2);
    }
    EXPECT_EQ(sent.use_count(), 1);
    {
        const fiber f([] {});
        f.throw_in(std::make_exception_ptr(fiber_exit{}));
        f.switch_to(sent);
    }
    EXPECT_EQ(sent.use_count(), 1);
}

TEST_F(fiber_destruction, a_thousand_suspended_fibers_run_all_their_destructors) {
    const fiber main = fiber::current();
    int left = 0;
    {
        std::vector<fiber> fibers;
        for (int i = 0; i < 1000; ++i) {
            fibers.emplace_back([&] {
                const on_leaving outer(left);
                const auto heap = std::make_unique<std::string>(100, 'x');
                main.switch_to();
            });
            fibers.back().switch_to();
        }
    }
    EXPECT_EQ(left, 1000);
}

// What follows leaves a stack with live frames behind on purpose, so it ends in a process of its own.

#if !defined(COIR_ASAN)

void drop_a_stubborn_fiber() {
    const fiber main = fiber::current();
    int exits = 0, left = 0;
    fiber f({.name = "stubborn"}, [&] {
        const on_leaving leaving(left);
        for (;;) {
            try {
                main.switch_to();
            } catch (const fiber_exit&) {
                ++exits;
            }
        }
    });
    f.switch_to();
    const std::size_t in_use = coir::detail::this_thread().stacks.in_use();
    f = {};
    const bool kept = coir::detail::this_thread().stacks.in_use() == in_use && left == 0;
    std::_Exit(kept && exits >= 100 ? 0 : 1);
}

TEST_F(fiber_destruction_death, rule_08_after_a_hundred_exits_it_is_reported_by_name_and_its_stack_kept) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(drop_a_stubborn_fiber(), testing::ExitedWithCode(0), "fiber \"stubborn\".*100 times");
}

#endif

/// Its end would say so with the exit code of the process. What it holds is not looked at for leaks.
fiber suspended_until_the_end(int code_if_unwound) {
    std::atexit([] { std::_Exit(0); });
    const fiber main = fiber::current();
    fiber f([main, code_if_unwound] {
        const at_exit says([&] { std::_Exit(code_if_unwound); });
        main.switch_to();
    });
    f.switch_to();
    return f;
}

void exit_on_the_main_fiber() {
    static const fiber* const kept = new fiber(suspended_until_the_end(1));
    EXPECT_TRUE(*kept);
    std::exit(0);
}

void exit_in_a_fiber() {
    static const fiber* const kept = new fiber(suspended_until_the_end(1));
    EXPECT_TRUE(*kept);
    fiber([] {
        const at_exit says([] { std::_Exit(2); });
        std::exit(0);
    }).switch_to();
}

void exit_on_another_thread() {
    static const fiber* const kept = new fiber(suspended_until_the_end(1));
    EXPECT_TRUE(*kept);
    std::thread([] {
        static const fiber* const other = new fiber(suspended_until_the_end(2));
        EXPECT_TRUE(*other);
        std::exit(0);
    }).join();
}

TEST_F(fiber_destruction_death, exit_does_not_unwind_fibers) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(exit_on_the_main_fiber(), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(exit_in_a_fiber(), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(exit_on_another_thread(), testing::ExitedWithCode(0), "");
}

TEST_F(fiber_destruction, one_that_unwinds_who_has_its_last_handle_goes_on_and_finds_out_at_its_next_suspension) {
    const fiber main = fiber::current();
    std::vector<std::string> seen;
    fiber a;
    a = fiber([&] {
        fiber b([&seen, given = std::move(a)]() mutable {
            const fiber last = std::move(given);
            try {
                last.switch_to();
            } catch (const coir::fiber_exit&) {
                seen.push_back("b is unwound");
                throw;
            }
        });
        b.switch_to();
        b = {};
        seen.push_back("a goes on");
        try {
            main.switch_to();
        } catch (const coir::fiber_exit&) {
            seen.push_back("a is unwound");
            throw;
        }
    });
    a.switch_to();
    EXPECT_EQ(seen, std::vector<std::string>({"b is unwound", "a goes on", "a is unwound"}));
}

}  // namespace
