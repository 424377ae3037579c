#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/task/task.hpp>

#include "task/leftovers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using task = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

TEST_F(task, gives_its_result_again_and_again) {
    auto t = coir::spawn([] { return std::string("abc"); });
    EXPECT_EQ(t.get(), "abc");
    EXPECT_EQ(t.get(), "abc");
    const auto copy = t;
    EXPECT_EQ(copy.get(), "abc");
}

TEST_F(task, an_rvalue_handle_moves_the_result_out_once) {
    auto t = coir::spawn([] { return std::vector<int>{1, 2}; });
    auto copy = t;
    EXPECT_EQ(std::move(t).get().size(), 2u);
    EXPECT_EQ(thrown_by([&] { copy.get(); }), "fiber_error");
}

TEST_F(task, a_result_that_only_moves_is_moved_out_once) {
    auto t = coir::spawn([] { return std::make_unique<int>(5); });
    EXPECT_EQ(*t.get(), 5);
    EXPECT_EQ(thrown_by([&] { t.get(); }), "fiber_error");
}

TEST_F(task, a_reference_stays_one) {
    int n = 1;
    auto t = coir::spawn([&]() -> int& { return n; });
    t.get() = 2;
    EXPECT_EQ(&std::move(t).get(), &n);
    EXPECT_EQ(n, 2);
}

TEST_F(task, its_error_is_rethrown_to_each_who_asks) {
    auto t = coir::spawn([]() -> int { throw std::runtime_error("lost"); });
    t.join();
    for (int i = 0; i < 2; ++i) EXPECT_EQ(thrown_by([&] { t.get(); }), "lost");
}

TEST_F(task, throws_what_was_thrown_whatever_its_type) {
    auto t = coir::spawn([] { throw 42; });
    EXPECT_THROW(t.get(), int);
}

TEST_F(task, never_runs_before_its_spawner_suspends_and_then_in_order) {
    std::string order;
    std::vector<coir::task<void>> tasks;
    for (char c : {'a', 'b', 'c'}) tasks.push_back(coir::spawn([&order, c] { order += c; }));
    order += '0';
    yield();
    EXPECT_EQ(order, "0abc");
}

TEST_F(task, owns_copies_of_its_arguments) {
    std::string word = "abc";
    int count = 0;
    auto t = coir::spawn([](const std::string& w, int& n) { n = static_cast<int>(w.size()); }, word, std::ref(count));
    word = "changed";
    t.get();
    EXPECT_EQ(count, 3);
    EXPECT_EQ(*coir::spawn([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(7)).get(), 7);
}

TEST_F(task, takes_whatever_can_be_called) {
    struct counter {
        int n = 1;
        int add(int i) { return n += i; }
    } c;
    EXPECT_EQ(coir::spawn(&counter::add, &c, 2).get(), 3);
    EXPECT_EQ(coir::spawn(&counter::n, std::ref(c)).get(), 3);
    EXPECT_EQ(coir::spawn(
                  +[](int i) { return i; }, 4)
                  .get(),
              4);
}

TEST_F(task, has_the_name_that_it_was_given_or_one_of_its_own) {
    EXPECT_EQ(coir::spawn({.name = "n1"}, [] { return coir::this_fiber::name(); }).get(), "n1");
    auto t = coir::spawn([] { return coir::this_fiber::name(); });
    EXPECT_EQ(t.get(), t.name());
    EXPECT_NE(t.name(), "");
}

TEST_F(task, what_cannot_be_run_is_refused_at_once) {
    EXPECT_EQ(thrown_by([] { coir::spawn(static_cast<void (*)()>(nullptr)); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { coir::spawn(std::function<void()>()); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { coir::spawn({.stack_size = 1}, [] {}); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { coir::spawn({.stack_size = std::size_t{1} << 60}, [] {}); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { coir::task<int>().get(); }), "fiber_error");
}

TEST_F(task, that_waits_for_itself_is_told) {
    coir::task<void> self;
    self = coir::spawn([&] { self.join(); });
    EXPECT_EQ(thrown_by([&] { self.get(); }), "fiber_error");
    self = {};
}

TEST_F(task, join_for_tells_who_was_first_and_is_never_early) {
    coir::event go;
    auto t = coir::spawn([&] { go.wait(); });
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(t.join_for(3ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    EXPECT_FALSE(t.join_for(-1s));
    EXPECT_FALSE(t.join_until(coir::deadline::after(0ms)));
    go.set();
    EXPECT_TRUE(t.join_for(coir::time_span::forever()));
    EXPECT_TRUE(t.join_for(-1s)) << "it has ended";
}

TEST_F(task, a_cancelled_joiner_leaves_it_running) {
    coir::event go;
    auto t = coir::spawn([&] {
        go.wait();
        return 1;
    });
    auto joiner = coir::spawn([&] { t.join(); });
    until_parked(joiner);
    joiner.cancel();
    joiner.join();
    EXPECT_TRUE(joiner.was_cancelled());
    EXPECT_FALSE(t.done());
    go.set();
    EXPECT_EQ(t.get(), 1);
}

TEST_F(task, anothers_cancellation_is_not_mistaken_for_ones_own) {
    auto t = coir::spawn([] { sleep_for(1h); });
    auto asker = coir::spawn([&] { return thrown_by([&] { t.get(); }); });
    until_parked(asker);
    t.cancel();
    EXPECT_EQ(asker.get(), "task_cancelled");
    EXPECT_FALSE(asker.was_cancelled());
}

TEST_F(task, all_joiners_are_woken_in_order) {
    coir::event go;
    auto t = coir::spawn([&] { go.wait(); });
    std::string order;
    std::vector<coir::task<void>> joiners;
    for (char c : {'a', 'b', 'c', 'd'}) {
        joiners.push_back(coir::spawn([&, c] {
            t.join();
            order += c;
        }));
    }
    until_parked(joiners.back());
    go.set();
    for (auto& j : joiners) j.get();
    EXPECT_EQ(order, "abcd");
}

TEST_F(task, detached_it_goes_on_and_frees_all) {
    auto token = std::make_shared<int>(0);
    coir::event go;
    coir::spawn([token, &go] {
        go.wait();
        ++*token;
        return token;
    });
    yield();
    EXPECT_EQ(token.use_count(), 2);
    go.set();
    yield();
    EXPECT_EQ(*token, 1);
    EXPECT_EQ(token.use_count(), 1);
}

TEST_F(task, what_its_function_owns_is_gone_when_it_is_done) {
    auto token = std::make_shared<int>(0);
    auto t = coir::spawn([token] {});
    t.join();
    EXPECT_EQ(token.use_count(), 1);
    auto never_started = coir::spawn([token] {});
    never_started.cancel();
    never_started.join();
    EXPECT_EQ(token.use_count(), 1);
}

TEST_F(task, its_result_goes_with_the_last_handle) {
    auto token = std::make_shared<int>(0);
    auto t = coir::spawn([token] { return token; });
    t.join();
    EXPECT_EQ(token.use_count(), 2);
    t = {};
    EXPECT_EQ(token.use_count(), 1);
}

TEST_F(task, may_be_joined_and_cancelled_on_other_threads) {
    coir::event go;
    auto t = coir::spawn([&] {
        go.wait();
        return 3;
    });
    auto victim = coir::spawn([] { sleep_for(1h); });
    yield();
    std::thread plain([&] {
        EXPECT_FALSE(t.join_for(1ms));
        victim.cancel();
        victim.join();
        EXPECT_EQ(t.get(), 3);
    });
    std::thread with_hub([&] {
        auto inner = coir::spawn([&] { return t.get(); });
        EXPECT_EQ(inner.get(), 3);
    });
    victim.join();
    go.set();
    t.join();
    plain.join();
    with_hub.join();
}

TEST_F(task, spawned_here_and_joined_there_a_hundred_thousand_times) {
    coir::channel<coir::task<int>> c(16);
    long sum = 0;
    coir::event all;
    std::thread there([&] {
        for (auto& t : c) sum += std::move(t).get();
        all.set();
    });
    for (int i = 0; i < 100'000; ++i) c.send(coir::spawn({.stack_size = 16384}, [] { return 1; }));
    c.close();
    all.wait();
    there.join();
    EXPECT_EQ(sum, 100'000);
}

TEST_F(task, a_multitude_at_once) {
    using task_tests::multitude;
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < multitude; ++i) {
        tasks.push_back(coir::spawn({.stack_size = 16384}, [i] {
            yield();
            return i;
        }));
    }
    long sum = 0;
    for (auto& t : tasks) sum += t.get();
    EXPECT_EQ(sum, (multitude - 1L) * multitude / 2);
}

TEST_F(task, a_chain_of_joins_of_any_length) {
    constexpr int length = task_tests::multitude / 10;
    coir::task<int> last = coir::spawn({.stack_size = 16384}, [] { return 0; });
    for (int i = 0; i < length; ++i) {
        last = coir::spawn({.stack_size = 16384},
                           [before = std::move(last)]() mutable { return std::move(before).get() + 1; });
    }
    EXPECT_EQ(last.get(), length);
}

const std::string const_text() { return "text"; }

TEST_F(task, results_may_be_const) {
    auto t = coir::spawn(const_text);
    EXPECT_EQ(t.get(), "text");
    EXPECT_EQ(std::move(t).get(), "text");
}

struct throws_when_kept {
    throws_when_kept() = default;
    throws_when_kept(throws_when_kept&&) { throw std::runtime_error("kept"); }
};

TEST_F(task, a_result_that_throws_when_it_is_kept_is_the_tasks_error) {
    auto t = coir::spawn([held = std::make_unique<int>(1)] { return throws_when_kept(); });
    t.join();
    EXPECT_EQ(thrown_by([&] { std::move(t).get(); }), "kept");
}

}  // namespace
