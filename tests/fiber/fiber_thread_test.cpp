// Rule 9 and the ends of threads: a fiber belongs to the thread that first ran it.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <atomic>
#include <barrier>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using coir::fiber;
using coir::value;
using fiber_tests::leftovers;
using fiber_tests::on_leaving;
using fiber_tests::refusal;
using fiber_thread = fiber_tests::clean_test;

/// On a thread of its own, which must leave nothing over either.
template <class F>
void on_a_thread(F f) {
    std::thread([&] {
        const leftovers none;
        f();
    }).join();
}

TEST_F(fiber_thread, each_has_a_main_fiber_of_its_own) {
    const fiber main = fiber::current();
    fiber other;
    on_a_thread([&] {
        other = fiber::current();
        EXPECT_EQ(other.parent(), fiber());
        EXPECT_TRUE(other);
        EXPECT_EQ(fiber([] {}).parent(), other);
    });
    EXPECT_NE(other, main);
    EXPECT_TRUE(other.dead()) << "its thread has ended";
    EXPECT_NE(refusal([&] { other.switch_to(); }), "");
}

TEST_F(fiber_thread, rule_09_refuses_before_anything_changes) {
    const fiber main = fiber::current();
    fiber f([&] { return *main.switch_to().as<std::unique_ptr<int>>(); });
    f.switch_to();
    on_a_thread([&] {
        EXPECT_NE(refusal([&] { f.switch_to(1); }), "");
        EXPECT_NE(refusal([&] { f.throw_in(std::make_exception_ptr(1)); }), "");
        EXPECT_NE(refusal([&] { main.switch_to(); }), "");
        EXPECT_NE(refusal([&] { f.set_parent(fiber::current()); }), "");
        EXPECT_NE(refusal([&] { fiber([] {}).set_parent(f); }), "");
        EXPECT_NE(refusal([&] { fiber([] {}).set_parent(main); }), "");
        EXPECT_TRUE(f.started() && !f.dead() && f);
    });
    EXPECT_EQ(f.parent(), main);
    EXPECT_EQ(f.switch_to(std::make_unique<int>(4)).as<int>(), 4);
    on_a_thread([&] { EXPECT_NE(refusal([&] { f.switch_to(); }), "") << "also when it is dead"; });
}

TEST_F(fiber_thread, rule_09_an_unstarted_fiber_may_move_and_gets_its_first_switcher_as_parent) {
    std::thread::id ran_on;
    fiber f([&](value v) {
        ran_on = std::this_thread::get_id();
        return v.as<int>() + 1;
    });
    on_a_thread([&] {
        fiber switcher([&] {
            EXPECT_EQ(f.switch_to(1).as<int>(), 2);
            return f.parent() == fiber::current();
        });
        EXPECT_TRUE(switcher.switch_to().as<bool>());
        EXPECT_EQ(ran_on, std::this_thread::get_id());
    });
    EXPECT_TRUE(f.dead());
    EXPECT_NE(refusal([&] { f.switch_to(); }), "");
}

TEST_F(fiber_thread, rule_09_errors_of_a_moved_fiber_arrive_where_it_ran) {
    fiber f([] { throw std::runtime_error("there"); });
    on_a_thread([&] { EXPECT_THROW(f.switch_to(), std::runtime_error); });
}

TEST_F(fiber_thread, rule_09_sixteen_threads_that_hammer_foreign_fibers_get_only_errors) {
    constexpr int threads = 16, tries = 100;
    std::vector<fiber> one_each(threads);
    std::barrier all_suspended(threads), all_done(threads);
    std::atomic<int> errors{0};
    std::vector<std::jthread> crowd;
    for (int t = 0; t < threads; ++t) {
        crowd.emplace_back([&, t] {
            const leftovers none;
            const fiber main = fiber::current();
            one_each[t] = fiber([&] {
                for (int n = 0;; ++n) main.switch_to(n);
            });
            one_each[t].switch_to();
            all_suspended.arrive_and_wait();
            for (int i = 0; i < tries; ++i) {
                const fiber& foreign = one_each[(t + 1 + i % (threads - 1)) % threads];
                errors += !refusal([&] { foreign.switch_to(i); }).empty();
                errors += !refusal([&] { foreign.throw_in(); }).empty();
                EXPECT_EQ(one_each[t].switch_to().as<int>(), i + 1);
            }
            all_done.arrive_and_wait();
            one_each[t] = {};
        });
    }
    crowd.clear();
    EXPECT_EQ(errors, threads * tries * 2);
}

TEST_F(fiber_thread, rule_08_dropped_on_another_thread_it_is_unwound_by_its_own) {
    const fiber main = fiber::current();
    std::thread::id unwound_on;
    int left = 0;
    fiber f([&] {
        const fiber_tests::at_exit looks([&] { unwound_on = std::this_thread::get_id(); });
        const on_leaving leaving(left);
        main.switch_to();
    });
    f.switch_to();
    on_a_thread([&] { f = {}; });
    EXPECT_EQ(left, 0);
    fiber([] {}).switch_to();  // a thread without a hub looks when it makes a fiber
    EXPECT_EQ(left, 1);
    EXPECT_EQ(unwound_on, std::this_thread::get_id());
}

TEST_F(fiber_thread, rule_08_handles_may_be_copied_and_dropped_on_any_thread) {
    const fiber main = fiber::current();
    int left = 0;
    fiber f([&] {
        const on_leaving leaving(left);
        main.switch_to();
    });
    f.switch_to();
    {
        std::vector<std::jthread> crowd;
        for (int t = 0; t < 4; ++t) {
            crowd.emplace_back([mine = f] {
                for (int i = 0; i < 2000; ++i) {
                    fiber copy = mine;
                    const fiber moved = std::move(copy);
                    EXPECT_TRUE(moved.started() && !moved.dead());
                }
            });
        }
    }
    EXPECT_EQ(left, 0);
    f = {};
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_thread, rule_08_dropped_elsewhere_while_their_thread_ends) {
    std::atomic<int> left{0};
    struct on_leaving_atomic {
        std::atomic<int>& times;
        ~on_leaving_atomic() { ++times; }
    };
    for (int round = 0; round < 50; ++round) {
        std::vector<fiber> handles;
        std::atomic<bool> ready{false};
        std::jthread owner([&] {
            const fiber main = fiber::current();
            for (int i = 0; i < 8; ++i) {
                handles.emplace_back([&] {
                    const on_leaving_atomic leaving{left};
                    main.switch_to();
                });
                handles.back().switch_to();
            }
            ready = true;
            ready.notify_one();
        });
        ready.wait(false);
        handles.clear();
    }
    EXPECT_EQ(left, 400);
}

TEST_F(fiber_thread, rule_08_the_end_of_a_thread_unwinds_its_fibers) {
    int left = 0;
    std::vector<fiber> handles;
    std::thread([&] {
        const fiber main = fiber::current();
        for (int i = 0; i < 20; ++i) {
            handles.emplace_back([&left, main] {
                const on_leaving leaving(left);
                main.switch_to();
            });
            handles.back().switch_to();
        }
    }).join();
    EXPECT_EQ(left, 20);
    for (const fiber& f : handles) EXPECT_TRUE(f.dead());
}

TEST_F(fiber_thread, rule_08_a_fiber_unwound_at_the_end_of_its_thread_may_make_and_drop_others) {
    int left = 0;
    fiber a, b;
    std::thread([&] {
        const fiber main = fiber::current();
        b = fiber([&left, main] {
            const on_leaving leaving(left);
            main.switch_to();
        });
        b.switch_to();
        a = fiber([&, main] {
            const fiber_tests::at_exit works([&] {
                EXPECT_EQ(fiber([] { return 1; }).switch_to().as<int>(), 1);
                b = {};
            });
            main.switch_to();
        });
        a.switch_to();
    }).join();
    EXPECT_EQ(left, 1);
    EXPECT_TRUE(a.dead());
}

TEST_F(fiber_thread, a_thousand_threads_one_after_the_other_leave_nothing) {
    int left = 0;
    for (int i = 0; i < 1000; ++i) {
        on_a_thread([&] {
            const fiber main = fiber::current();
            fiber f([&] {
                const on_leaving leaving(left);
                main.switch_to();
            });
            f.switch_to();
        });
    }
    EXPECT_EQ(left, 1000);
}

TEST_F(fiber_thread, an_unstarted_fiber_outlives_the_thread_that_made_it) {
    fiber f;
    on_a_thread([&] { f = fiber([](value v) { return v.as<int>() * 2; }); });
    EXPECT_EQ(f.switch_to(4).as<int>(), 8);
}

}  // namespace
