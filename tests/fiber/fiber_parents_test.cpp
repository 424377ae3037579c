// Who gets the last words of a fiber: chains of parents in every condition.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using coir::fiber;
using coir::value;
using fiber_tests::refusal;
using fiber_parents = fiber_tests::clean_test;

TEST_F(fiber_parents, a_fiber_that_changes_parents_hands_its_error_to_the_new_one) {
    const fiber main = fiber::current();
    std::vector<std::string> seen;
    fiber g1([&] {
        try {
            main.switch_to();
        } catch (const std::runtime_error& e) {
            seen.push_back(e.what());
        }
        return 1;
    });
    fiber g2([&](value v) {
        main.switch_to(std::move(v));
        throw std::runtime_error("from g2");
    });
    g1.switch_to();
    g2.switch_to();
    g2.set_parent(g1);
    EXPECT_EQ(g2.switch_to().as<int>(), 1);
    EXPECT_EQ(seen, std::vector<std::string>({"from g2"}));
    EXPECT_TRUE(g1.dead() && g2.dead());
    EXPECT_EQ(g2.switch_to(25).as<int>(), 25);
}

TEST_F(fiber_parents, a_child_sends_its_error_into_a_suspended_parent) {
    fiber parent([] {
        fiber child([] { throw std::logic_error("child"); });
        EXPECT_THROW(child.switch_to(), std::logic_error);
        return 2;
    });
    EXPECT_EQ(parent.switch_to().as<int>(), 2);
}

TEST_F(fiber_parents, errors_of_any_type_arrive_as_they_are) {
    EXPECT_THROW(fiber([] { throw 5; }).switch_to(), int);
    EXPECT_THROW(fiber([] { throw std::string("text"); }).switch_to(), std::string);
    EXPECT_THROW(fiber([] { throw coir::cancelled{}; }).switch_to(), coir::cancelled);
    try {
        fiber([] {
            try {
                throw std::runtime_error("inside");
            } catch (...) {
                std::throw_with_nested(std::logic_error("outside"));
            }
        }).switch_to();
        FAIL();
    } catch (const std::logic_error& e) {
        EXPECT_STREQ(e.what(), "outside");
        EXPECT_THROW(std::rethrow_if_nested(e), std::runtime_error);
    }
}

TEST_F(fiber_parents, a_chain_of_unstarted_parents_runs_one_after_the_other) {
    std::vector<fiber> chain;
    for (int i = 0; i < 50; ++i) {
        chain.emplace_back([](value v) { return v.as<int>() + 1; });
        if (i > 0) chain[i].set_parent(chain[i - 1]);
    }
    EXPECT_EQ(chain.back().switch_to(0).as<int>(), 50);
    for (const fiber& f : chain) EXPECT_TRUE(f.dead());
}

TEST_F(fiber_parents, an_unstarted_parent_that_fails_hands_its_own_error_on) {
    fiber parent([](value v) { v.as<std::string>(); });
    fiber child([] { return 1; });
    child.set_parent(parent);
    EXPECT_THROW(child.switch_to(), std::bad_any_cast);
    EXPECT_TRUE(parent.dead() && child.dead());
    EXPECT_THROW(child.throw_in(std::make_exception_ptr(1)), int) << "the body is not run again";
}

/// The descendant of `length` parents. Built from below, as set_parent looks for a cycle above.
fiber youngest_of(int length, bool dead) {
    const fiber youngest([] { return 3; });
    fiber at = youngest;
    for (int i = 0; i < length; ++i) {
        const fiber parent([] {});
        if (dead) parent.throw_in();
        at.set_parent(parent);
        at = parent;
    }
    return youngest;
}

TEST_F(fiber_parents, long_chains_of_dead_parents_are_collapsed_without_recursion) {
    const fiber f = youngest_of(200'000, true);
    EXPECT_TRUE(f.parent().dead());
    EXPECT_EQ(f.switch_to().as<int>(), 3);
    EXPECT_EQ(f.parent(), fiber::current());
}

TEST_F(fiber_parents, long_chains_of_parents_are_freed_without_recursion) {
    EXPECT_TRUE(youngest_of(200'000, true).parent().dead());
    EXPECT_FALSE(youngest_of(200'000, false).parent().dead());
}

TEST_F(fiber_parents, a_parent_lives_as_long_as_its_child) {
    int left = 0;
    fiber child([] { return 5; });
    {
        fiber parent([&left, guard = std::make_shared<int>(1)](value v) {
            const fiber_tests::on_leaving leaving(left);
            return v.as<int>() + *guard;
        });
        child.set_parent(parent);
    }
    EXPECT_EQ(child.switch_to().as<int>(), 6);
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_parents, an_error_thrown_in_equals_a_child_that_throws) {
    const fiber main = fiber::current();
    auto body = [&] {
        try {
            main.switch_to();
        } catch (int n) {
            return n;
        }
        return 0;
    };
    fiber a(body), b(body);
    a.switch_to();
    b.switch_to();
    fiber child([] { throw 8; });
    child.set_parent(b);
    EXPECT_EQ(a.throw_in(std::make_exception_ptr(8)).as<int>(), 8);
    EXPECT_EQ(child.switch_to().as<int>(), 8);
}

TEST_F(fiber_parents, deep_cycles_are_found) {
    std::vector<fiber> chain;
    for (int i = 0; i < 1000; ++i) {
        chain.emplace_back([] {});
        if (i > 0) chain[i].set_parent(chain[i - 1]);
    }
    EXPECT_NE(refusal([&] { chain[0].set_parent(chain[999]); }), "");
    EXPECT_EQ(chain[0].parent(), fiber::current());
}

TEST_F(fiber_parents, the_parent_may_change_while_the_fiber_runs) {
    fiber heir([](value v) { return v.as<int>() * 10; });
    fiber f([&] {
        fiber::current().set_parent(heir);
        return 4;
    });
    EXPECT_EQ(f.switch_to().as<int>(), 40);
    EXPECT_TRUE(heir.dead());
}

TEST_F(fiber_parents, nested_layers_return_inside_out) {
    auto layer = [](auto& self, int depth) -> int {
        if (depth == 0) return 0;
        fiber inner([&] { return self(self, depth - 1); });
        return inner.switch_to().as<int>() + 1;
    };
    EXPECT_EQ(fiber([&] { return layer(layer, 100); }).switch_to().as<int>(), 100);
}

/// A child of a parent that nobody else holds.
fiber child_of(const fiber& parent) {
    const fiber child([](value v) { return v; });
    child.set_parent(parent);
    return child;
}

TEST_F(fiber_parents, one_that_is_only_linked_can_be_held_again) {
    bool has_run = false;
    fiber child = child_of(fiber([&] { has_run = true; }));
    const fiber parent = child.parent();
    child = {};
    EXPECT_FALSE(parent.started());
    parent.switch_to();
    EXPECT_TRUE(has_run && parent.dead());
}

TEST_F(fiber_parents, so_can_a_dead_one) {
    fiber dead({.name = "ancestor"}, [] {});
    dead.switch_to();
    fiber child = child_of(std::exchange(dead, {}));
    fiber parent = child.parent();
    parent = {};
    parent = child.parent();
    child = {};
    EXPECT_TRUE(parent.dead());
    EXPECT_EQ(parent.name(), "ancestor");
}

TEST_F(fiber_parents, one_that_was_held_again_may_be_suspended) {
    const fiber main = fiber::current();
    fiber child = child_of(fiber([&](value v) { main.switch_to(v.as<int>() + 1); }));
    fiber parent = child.parent();
    EXPECT_EQ(child.switch_to(1).as<int>(), 2);
    child = {};
    EXPECT_FALSE(parent.dead());
    parent.switch_to();
    EXPECT_TRUE(parent.dead());
}

/// As one whose last handle goes while it runs.
TEST_F(fiber_parents, one_that_nobody_holds_is_started_and_ends_at_its_first_suspension) {
    const fiber main = fiber::current();
    std::vector<std::string> seen;
    fiber child = child_of(fiber([&](value v) {
        seen.push_back(v.as<std::string>());
        try {
            main.switch_to();
        } catch (const coir::fiber_exit&) {
            seen.push_back("unwound");
            throw;
        }
    }));
    EXPECT_TRUE(child.switch_to(std::string("started")).get_if<coir::fiber_exit>());
    EXPECT_EQ(seen, std::vector<std::string>({"started", "unwound"}));
    EXPECT_TRUE(child.parent().dead());
}

TEST_F(fiber_parents, one_that_nobody_holds_outlives_the_child_that_has_started_it) {
    fiber child;
    std::string name;
    child = child_of(fiber({.name = "heir"}, [&] {
        child = {};
        name = fiber::current().name();
    }));
    child.switch_to();
    EXPECT_EQ(name, "heir");
}

TEST_F(fiber_parents, one_that_nobody_holds_outlives_the_dead_child_through_which_it_was_started) {
    fiber child([] {});
    child.switch_to();
    std::string name;
    child.set_parent(fiber({.name = "ancestor"}, [&] {
        child = {};
        name = fiber::current().name();
    }));
    child.switch_to();
    EXPECT_EQ(name, "ancestor");
}

/// Drops the last handle of a parent when another thread, which has its child, does something to it.
template <class Function>
void race_with_the_last_handle(Function on_other_thread) {
    for (int i = 0; i < 500; ++i) {
        std::atomic<int> begun{0};
        fiber child;
        std::vector<int> got;
        fiber parent([&](value v) {
            child = {};
            got.push_back(v.as<int>());
        });
        child = child_of(parent);
        const auto together = [&] {
            ++begun;
            while (begun < 2) std::this_thread::yield();
        };
        std::thread other([&] {
            together();
            on_other_thread(child);
        });
        together();
        parent = {};
        other.join();
        EXPECT_EQ(got, std::vector<int>({7}));
    }
}

TEST_F(fiber_parents, the_last_handle_may_go_on_another_thread_while_the_child_starts_it) {
    race_with_the_last_handle([](const fiber& child) { child.switch_to(7); });
}

TEST_F(fiber_parents, the_last_handle_may_go_on_another_thread_while_it_is_held_again) {
    race_with_the_last_handle([](fiber& child) {
        const fiber parent = child.parent();
        child = {};
        parent.switch_to(7);
    });
}

TEST_F(fiber_parents, one_without_handles_that_an_error_has_ended_can_be_held_again) {
    fiber middle([] { throw std::runtime_error("the end"); });
    middle.set_parent(child_of(fiber::current()));
    EXPECT_THROW(middle.switch_to(), std::runtime_error);
    const fiber parent = middle.parent();
    middle = {};
    EXPECT_TRUE(parent.dead());
    EXPECT_FALSE(parent.started());
}

}  // namespace
