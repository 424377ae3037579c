// gather, wait and as_completed.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/task/wait.hpp>

#include "task/leftovers.hpp"

#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using wait_for_tasks = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

/// A task that ends when it is let go, with a number or, for a negative one, an error.
struct gated {
    coir::event gate;
    coir::task<int> task;
    explicit gated(int n) {
        task = coir::spawn([this, n] {
            gate.wait();
            if (n < 0) throw std::runtime_error("error " + std::to_string(-n));
            return n;
        });
    }
};

TEST_F(wait_for_tasks, gather_gives_all_results_in_the_order_of_the_arguments) {
    auto slow = coir::spawn([] {
        sleep_for(2ms);
        return 1;
    });
    const auto [a, b, c] = coir::gather(slow, coir::spawn([] { return std::string("b"); }), coir::spawn([] {}));
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, "b");
    static_assert(std::is_same_v<decltype(c), const std::monostate>);
    EXPECT_EQ(slow.get(), 1);
}

TEST_F(wait_for_tasks, gather_of_a_range) {
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(coir::spawn([i] { return i; }));
    EXPECT_EQ(coir::gather(tasks).at(99), 99);
    EXPECT_EQ(coir::gather(std::vector<coir::task<int>>()).size(), 0u);
    std::vector<coir::task<std::unique_ptr<int>>> movable;
    for (int i = 0; i < 3; ++i) movable.push_back(coir::spawn([i] { return std::make_unique<int>(i); }));
    EXPECT_EQ(*coir::gather(std::move(movable)).at(2), 2);
}

TEST_F(wait_for_tasks, gather_rethrows_the_first_error_after_all_have_ended) {
    gated a(1), b(-2), c(-3), d(4);
    auto t = coir::spawn([&] { coir::gather(a.task, b.task, c.task, d.task); });
    until_parked(t);
    c.gate.set();
    yield();
    b.gate.set();
    task_tests::yield_times(3);
    EXPECT_FALSE(t.done());
    EXPECT_FALSE(a.task.done() || d.task.done()) << "an error cancels nothing";
    a.gate.set();
    d.gate.set();
    EXPECT_EQ(thrown_by([&] { t.get(); }), "error 3");
    EXPECT_EQ(d.task.get(), 4);
}

TEST_F(wait_for_tasks, gather_of_a_cancelled_task_tells) {
    auto t = coir::spawn([] { sleep_for(1h); });
    auto ok = coir::spawn([] { return 1; });
    t.cancel();
    EXPECT_EQ(thrown_by([&] { coir::gather(ok, t); }), "task_cancelled");
}

TEST_F(wait_for_tasks, a_cancelled_gather_cancels_its_rvalue_tasks_and_leaves_the_others) {
    coir::event go;
    auto kept = coir::spawn([&] { go.wait(); });
    coir::task<void> given = coir::spawn([] { sleep_for(1h); });
    auto watching = given;
    auto t = coir::spawn([&] { coir::gather(kept, std::move(given)); });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_TRUE(watching.was_cancelled()) << "and it has been joined";
    EXPECT_FALSE(kept.done());
    go.set();
    kept.get();
}

TEST_F(wait_for_tasks, wait_for_all) {
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(coir::spawn([i]() -> int { return i % 2 ? throw i : i; }));
    const auto [done, pending] = coir::wait(tasks);
    EXPECT_EQ(done, tasks) << "in the order that was given, and no error is thrown";
    EXPECT_TRUE(pending.empty());
}

TEST_F(wait_for_tasks, wait_for_the_first) {
    gated a(1), b(2);
    const std::vector tasks{a.task, b.task};
    auto t = coir::spawn([&] { return coir::wait(tasks, {.until = coir::until::first_completed}); });
    until_parked(t);
    b.gate.set();
    const auto [done, pending] = t.get();
    EXPECT_EQ(done, std::vector{b.task});
    EXPECT_EQ(pending, std::vector{a.task});
    a.gate.set();
    a.task.get();
}

TEST_F(wait_for_tasks, wait_for_the_first_exception) {
    gated a(1), b(-2), c(3);
    const std::vector tasks{a.task, b.task, c.task};
    auto t = coir::spawn([&] { return coir::wait(tasks, {.until = coir::until::first_exception}); });
    a.gate.set();
    task_tests::yield_times(4);
    EXPECT_FALSE(t.done());
    b.gate.set();
    const auto [done, pending] = t.get();
    EXPECT_EQ(done, (std::vector{a.task, b.task}));
    EXPECT_EQ(pending, std::vector{c.task});
    c.gate.set();
    c.task.get();
}

TEST_F(wait_for_tasks, a_wait_that_is_over_is_no_error_and_ends_nothing) {
    gated a(1);
    const auto begin = std::chrono::steady_clock::now();
    const auto [done, pending] = coir::wait(std::vector{a.task}, {.timeout = 3ms});
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    EXPECT_TRUE(done.empty());
    EXPECT_EQ(pending, std::vector{a.task});
    a.gate.set();
    EXPECT_EQ(a.task.get(), 1);
}

TEST_F(wait_for_tasks, a_cancelled_wait_leaves_the_tasks) {
    gated a(1);
    auto t = coir::spawn([&] { coir::wait(std::vector{a.task}); });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    a.gate.set();
    EXPECT_EQ(a.task.get(), 1);
}

TEST_F(wait_for_tasks, wait_for_nothing_returns) {
    EXPECT_TRUE(coir::wait(std::vector<coir::task<int>>()).done.empty());
}

TEST_F(wait_for_tasks, as_completed_gives_them_as_they_end) {
    std::list<gated> all;
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(all.emplace_back(i).task);
    auto opener = coir::spawn([&] {
        for (int i : {2, 0, 3, 1}) {
            std::next(all.begin(), i)->gate.set();
            yield();
        }
    });
    std::vector<int> order;
    for (auto& t : coir::as_completed(tasks)) order.push_back(t.get());
    EXPECT_EQ(order, (std::vector{2, 0, 3, 1}));
    opener.get();
}

TEST_F(wait_for_tasks, leaving_as_completed_early_leaves_the_tasks) {
    gated a(1), b(2);
    a.gate.set();
    for (auto& t : coir::as_completed(std::vector{a.task, b.task})) {
        EXPECT_EQ(t.get(), 1);
        break;
    }
    EXPECT_FALSE(b.task.done());
    b.gate.set();
    EXPECT_EQ(b.task.get(), 2);
}

TEST_F(wait_for_tasks, the_same_task_twice) {
    auto t = coir::spawn([] { return 1; });
    EXPECT_EQ(coir::wait(std::vector{t, t}).done.size(), 2u);
    int n = 0;
    for (auto& each : coir::as_completed(std::vector{t, t})) n += each.get();
    EXPECT_EQ(n, 2);
}

TEST_F(wait_for_tasks, of_another_hub_and_in_a_plain_thread) {
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(coir::spawn([i] {
            sleep_for(std::chrono::microseconds(37 * i % 500));
            return 1;
        }));
    }
    int there = 0;
    std::thread plain([&] {
        for (auto& t : coir::as_completed(tasks)) there += t.get();
        EXPECT_EQ(coir::wait(tasks).done.size(), 100u);
        EXPECT_EQ(coir::gather(tasks).size(), 100u);
    });
    coir::wait(tasks);
    plain.join();
    EXPECT_EQ(there, 100);
}

}  // namespace
