// Rules 3, 8 and 10 of the fibers (src/fiber/README.md) where a hub takes part: fibers that are parked, or queued.
#include <coir/fiber.hpp>
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "task/leftovers.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::fiber;
using coir::value;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using rule_03 = task_tests::clean_test;
using rule_08 = task_tests::clean_test;
using rule_10 = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;
using task_tests::yield_times;

/// The fiber of a task, for who would switch to it.
fiber fiber_of(const coir::task<void>& t) { return fiber(coir::detail::ref<coir::detail::fiber_core>(&t.core())); }

void refuses_all(const fiber& f) {
    EXPECT_EQ(thrown_by([&] { f.switch_to(1); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { f.throw_in(std::make_exception_ptr(1)); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { f.throw_in(); }), "fiber_error");
}

TEST_F(rule_10, a_parked_task_refuses_and_its_wait_goes_on) {
    coir::event e;
    int woken = 0;
    auto t = coir::spawn([&] {
        e.wait();
        ++woken;
    });
    until_parked(t);
    refuses_all(fiber_of(t));
    yield_times(3);
    EXPECT_EQ(woken, 0);
    e.set();
    t.get();
    EXPECT_EQ(woken, 1);
}

TEST_F(rule_10, a_parked_explicit_fiber_refuses_and_its_wait_goes_on) {
    const auto begin = std::chrono::steady_clock::now();
    fiber f([] {
        sleep_for(3ms);
        return 7;
    });
    int result = 0;
    auto caller = coir::spawn([&] { result = f.switch_to().as<int>(); });
    yield_times(2);
    refuses_all(f);
    caller.get();
    EXPECT_EQ(result, 7);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
}

TEST_F(rule_10, a_queued_task_refuses_and_runs_when_it_is_due) {
    int steps = 0;
    auto t = coir::spawn([&] {
        yield();
        ++steps;
    });
    yield();
    refuses_all(fiber_of(t));
    EXPECT_EQ(steps, 0);
    t.get();
    EXPECT_EQ(steps, 1);
}

TEST_F(rule_10, a_woken_task_refuses_until_it_runs) {
    coir::event e;
    auto t = coir::spawn([&] { e.wait(); });
    until_parked(t);
    e.set();
    refuses_all(fiber_of(t));
    t.get();
}

TEST_F(rule_10, a_task_that_has_not_started_refuses_and_starts_as_ever) {
    bool ran = false;
    auto t = coir::spawn([&] { ran = true; });
    refuses_all(fiber_of(t));
    EXPECT_FALSE(ran);
    t.get();
    EXPECT_TRUE(ran);
}

TEST_F(rule_10, a_parked_generator_body_refuses_a_second_consumer) {
    coir::event e;
    coir::generator<int> g([&](auto& out) {
        e.wait();
        out(1);
    });
    auto first = coir::spawn([&] { return g.next(); });
    yield_times(2);
    EXPECT_EQ(thrown_by([&] { (void)g.next(); }), "fiber_error");
    e.set();
    EXPECT_EQ(first.get(), 1);
}

TEST_F(rule_10, cancellation_is_thrown_in_the_parked_descendant) {
    std::string where;
    auto t = coir::spawn([&] {
        fiber outer([&] {
            fiber inner([&] {
                try {
                    sleep_for(1h);
                } catch (const coir::cancelled&) {
                    where += "inner ";
                    throw;
                }
            });
            try {
                inner.switch_to();
            } catch (const coir::cancelled&) {
                where += "outer ";
                throw;
            }
        });
        try {
            outer.switch_to();
        } catch (const coir::cancelled&) {
            where += "task";
            throw;
        }
    });
    yield_times(2);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(where, "inner outer task");
}

TEST_F(rule_10, a_timeout_is_thrown_in_the_parked_descendant_and_belongs_to_its_scope) {
    bool in_descendant = false;
    coir::timeout limit(2ms);
    fiber f([&] { in_descendant = thrown_by([] { sleep_for(1h); }) == "timed_out"; });
    f.switch_to();
    EXPECT_TRUE(in_descendant);
    EXPECT_TRUE(limit.expired());
}

TEST_F(rule_10, where_no_descendant_is_parked_it_waits_for_the_tasks_own_next_wait) {
    std::string order;
    coir::task<void> self;
    self = coir::spawn([&] {
        const fiber me = fiber::current();
        fiber other([&] {
            self.cancel();
            me.switch_to();
        });
        other.switch_to();
        order += "no wait yet, ";
        order += thrown_by([] { yield(); });
    });
    self.join();
    self = {};
    EXPECT_EQ(order, "no wait yet, cancelled");
}

TEST_F(rule_03, a_parked_parent_is_passed_over_for_the_last_switcher) {
    coir::event e;
    fiber child;
    auto parent = coir::spawn([&] {
        child = fiber([] { return 5; });
        e.wait();
    });
    until_parked(parent);
    EXPECT_EQ(child.switch_to().as<int>(), 5) << "to main, which has switched";
    EXPECT_FALSE(parent.done());
    e.set();
    parent.get();
    child = {};
}

TEST_F(rule_03, and_so_is_a_queued_one) {
    fiber child;
    auto parent = coir::spawn([&] {
        child = fiber([]() -> int { throw std::runtime_error("to whom?"); });
        yield();
    });
    yield();
    EXPECT_EQ(thrown_by([&] { child.switch_to(); }), "to whom?");
    parent.get();
    child = {};
}

/// Its parent is a task that is parked, and the one that switched to it has been thrown out of its switch.
TEST_F(rule_03, failing_that_an_error_is_reported_by_name) {
    std::vector<std::string> told;
    coir::hub::current().on_unhandled([&](std::string_view name, std::exception_ptr) { told.emplace_back(name); });
    coir::event e, end;
    fiber f({.name = "nobodys"}, [&] {
        e.wait();
        throw std::runtime_error("x");
    });
    coir::task<void> parent = coir::spawn([&] {
        f.set_parent(fiber::current());
        f.switch_to();
        end.wait();
    });
    auto breaker = coir::spawn([&] { fiber_of(parent).switch_to(); });
    until_parked(parent);
    e.set();
    while (!f.dead()) yield();
    EXPECT_EQ(told, std::vector<std::string>{"nobodys"});
    end.set();
    parent.get();
    breaker.get();
    coir::hub::current().on_unhandled(nullptr);
}

TEST_F(rule_08, dropping_a_parked_fiber_cancels_its_wait_and_unwinds_it) {
    bool unwound = false;
    coir::event never;
    fiber f([&] {
        try {
            never.wait();
        } catch (const coir::fiber_exit&) {
            unwound = true;
            throw;
        }
    });
    auto caller = coir::spawn([&] { return f.switch_to().get_if<coir::fiber_exit>() != nullptr; });
    yield_times(2);
    f = {};
    EXPECT_TRUE(caller.get()) << "it is no error";
    EXPECT_TRUE(unwound);
    never.set();
}

TEST_F(rule_08, dropped_on_another_thread_it_is_unwound_by_its_own_in_a_fiber_that_may_suspend) {
    const auto here = std::this_thread::get_id();
    std::thread::id there;
    bool slept = false;
    struct goodbye {
        std::thread::id& there;
        bool& slept;
        ~goodbye() {
            there = std::this_thread::get_id();
            coir::shield mask;
            sleep_for(1ms);
            slept = true;
        }
    };
    fiber f([&] {
        const goodbye g{there, slept};
        fiber::current().parent().switch_to();
    });
    f.switch_to();
    std::thread([g = std::move(f)]() mutable { g = {}; }).join();
    while (!slept) sleep_for(100us);
    EXPECT_EQ(there, here);
    yield_times(2);
}

TEST_F(rule_08, many_dropped_elsewhere_while_the_hub_sleeps) {
    constexpr int count = 200;
    int unwound = 0;
    coir::event all;
    std::vector<fiber> fibers;
    struct counts {
        int& n;
        coir::event& all;
        ~counts() {
            if (++n == count) all.set();
        }
    };
    for (int i = 0; i < count; ++i) {
        fibers.emplace_back([&] {
            const counts c{unwound, all};
            fiber::current().parent().switch_to();
        });
        fibers.back().switch_to();
    }
    std::thread other([gone = std::move(fibers)]() mutable {
        for (auto& f : gone) f = {};
    });
    all.wait();
    other.join();
    yield_times(3);
    EXPECT_EQ(unwound, count);
}

TEST_F(rule_08, dropped_elsewhere_without_a_stack_to_be_unwound_from_it_waits_for_the_next_one) {
    int unwound = 0;
    struct counts {
        int& n;
        ~counts() { ++n; }
    };
    const auto suspended = [&] {
        fiber f([&] {
            const counts c{unwound};
            fiber::current().parent().switch_to();
        });
        f.switch_to();
        return f;
    };
    const auto drop_elsewhere = [](fiber f) { std::thread([f = std::move(f)]() mutable { f = {}; }).join(); };
    fiber first = suspended(), second = suspended();
    coir::event go;
    std::vector<coir::task<void>> on_all_stacks;
    {
        const coir::testing::fault no_memory(coir::testing::call::mmap, {.error = ENOMEM, .times = 1000});
        while (no_memory.failed() == 0) {
            on_all_stacks.push_back(coir::spawn([&] { go.wait(); }));
            yield();
        }
        drop_elsewhere(std::move(first));
        while (no_memory.failed() == 1) sleep_for(100us);
        EXPECT_EQ(unwound, 0);
    }
    go.set();
    EXPECT_EQ(thrown_by([&] { on_all_stacks.back().get(); }), "fiber_error");
    for (auto& t : on_all_stacks) t.join();
    drop_elsewhere(std::move(second));
    while (unwound != 2) sleep_for(100us);
    yield_times(2);
}

}  // namespace
