// As std::promise and std::future, for fibers and plain threads.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/task/future.hpp>

#include "task/leftovers.hpp"

#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using future = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

template <class Call>
std::future_errc misuse(Call call) {
    try {
        call();
    } catch (const std::future_error& e) {
        return static_cast<std::future_errc>(e.code().value());
    }
    return {};
}

static_assert(!std::is_copy_constructible_v<coir::future<int>> && !std::is_copy_assignable_v<coir::future<int>>);
static_assert(std::is_nothrow_move_constructible_v<coir::future<int>>);
static_assert(!std::is_copy_constructible_v<coir::promise<int>> &&
              std::is_nothrow_move_constructible_v<coir::promise<int>>);

TEST_F(future, gives_the_value_once) {
    coir::promise<int> p;
    auto f = p.get_future();
    EXPECT_TRUE(f.valid());
    EXPECT_FALSE(f.ready());
    p.set_value(3);
    EXPECT_TRUE(f.ready());
    EXPECT_EQ(f.get(), 3);
    EXPECT_FALSE(f.valid());
}

TEST_F(future, of_void_a_reference_and_what_only_moves) {
    coir::promise<void> v;
    auto fv = v.get_future();
    v.set_value();
    fv.get();
    int n = 0;
    coir::promise<int&> r;
    auto fr = r.get_future();
    r.set_value(n);
    EXPECT_EQ(&fr.get(), &n);
    coir::promise<std::unique_ptr<int>> u;
    auto fu = u.get_future();
    u.set_value(std::make_unique<int>(5));
    EXPECT_EQ(*fu.get(), 5);
    coir::promise<std::vector<int>> braces;
    auto fb = braces.get_future();
    braces.set_value({1, 2, 3});
    EXPECT_EQ(fb.get().size(), 3u);
}

TEST_F(future, misuse_is_what_it_is_in_std) {
    coir::promise<int> p;
    auto f = p.get_future();
    EXPECT_EQ(misuse([&] { (void)p.get_future(); }), std::future_errc::future_already_retrieved);
    p.set_value(1);
    EXPECT_EQ(misuse([&] { p.set_value(2); }), std::future_errc::promise_already_satisfied);
    EXPECT_EQ(misuse([&] { p.set_exception(std::make_exception_ptr(1)); }),
              std::future_errc::promise_already_satisfied);
    f.get();
    EXPECT_EQ(misuse([&] { f.get(); }), std::future_errc::no_state);
    EXPECT_EQ(misuse([&] { f.wait(); }), std::future_errc::no_state);
    EXPECT_EQ(misuse([&] { (void)f.ready(); }), std::future_errc::no_state);
    const coir::promise<int> taken(std::move(p));
    EXPECT_EQ(misuse([&] { p.set_value(1); }), std::future_errc::no_state);
    EXPECT_EQ(misuse([&] { (void)p.get_future(); }), std::future_errc::no_state);
}

TEST_F(future, a_promise_that_goes_unset_is_broken) {
    coir::future<int> f;
    {
        coir::promise<int> p;
        f = p.get_future();
    }
    EXPECT_EQ(misuse([&] { f.get(); }), std::future_errc::broken_promise);
    coir::promise<int> p;
    f = p.get_future();
    p = coir::promise<int>();
    EXPECT_EQ(misuse([&] { f.get(); }), std::future_errc::broken_promise);
}

TEST_F(future, an_error_is_rethrown) {
    coir::promise<int> p;
    auto f = p.get_future();
    p.set_exception(std::make_exception_ptr(std::runtime_error("no luck")));
    EXPECT_EQ(thrown_by([&] { f.get(); }), "no luck");
}

TEST_F(future, a_value_whose_copy_throws_leaves_the_promise_unset) {
    struct fragile {
        fragile() = default;
        fragile(fragile&&) = default;
        fragile(const fragile&) { throw std::runtime_error("copy"); }
    };
    coir::promise<fragile> p;
    auto f = p.get_future();
    const fragile one;
    EXPECT_EQ(thrown_by([&] { p.set_value(one); }), "copy");
    EXPECT_FALSE(f.ready());
    p.set_value(fragile());
    EXPECT_TRUE(f.ready());
}

TEST_F(future, limits_are_never_early_and_tell) {
    coir::promise<int> p;
    const auto f = p.get_future();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(f.wait_for(3ms), std::future_status::timeout);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    EXPECT_EQ(f.wait_for(-1s), std::future_status::timeout);
    EXPECT_EQ(f.wait_until(std::chrono::system_clock::now()), std::future_status::timeout);
    p.set_value(1);
    EXPECT_EQ(f.wait_for(-1s), std::future_status::ready);
}

TEST_F(future, a_cancelled_wait_loses_nothing) {
    coir::promise<int> p;
    auto f = p.get_future();
    auto t = coir::spawn([&] { f.wait(); });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    p.set_value(4);
    EXPECT_EQ(f.get(), 4);
}

TEST_F(future, a_timeout_scope_interrupts_it) {
    coir::promise<int> p;
    auto f = p.get_future();
    EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { f.get(); }); }), "timed_out");
    EXPECT_TRUE(f.valid());
    p.set_value(1);
    EXPECT_EQ(f.get(), 1);
}

TEST_F(future, set_by_a_plain_thread_for_a_fiber) {
    for (int i = 0; i < 500; ++i) {
        coir::promise<int> p;
        auto f = p.get_future();
        std::thread other([p = std::move(p), i]() mutable { p.set_value(i); });
        EXPECT_EQ(f.get(), i);
        other.join();
    }
}

TEST_F(future, set_by_a_fiber_for_a_plain_thread_which_gets_no_hub) {
    coir::promise<int> p;
    auto f = p.get_future();
    bool has_hub = true;
    std::atomic<bool> has_timed_out{false};
    std::thread other([&] {
        EXPECT_EQ(f.wait_for(1ms), std::future_status::timeout);
        has_timed_out = true;
        EXPECT_EQ(f.get(), 9);
        has_hub = coir::detail::hub_core::of_this_thread() != nullptr;
    });
    while (!has_timed_out) coir::this_fiber::sleep_for(1ms);
    coir::spawn([&] { p.set_value(9); }).get();
    other.join();
    EXPECT_FALSE(has_hub);
}

TEST_F(future, set_in_a_posted_function) {
    coir::promise<int> p;
    auto f = p.get_future();
    coir::hub::current().post([&] { p.set_value(2); });
    EXPECT_EQ(f.get(), 2);
}

TEST_F(future, the_promise_may_be_destroyed_by_whom_it_wakes) {
    for (int i = 0; i < 2'000; ++i) {
        auto p = std::make_unique<coir::promise<int>>();
        auto f = p->get_future();
        std::thread other([&, raw = p.get()] { raw->set_value(1); });
        EXPECT_EQ(f.get(), 1);
        p.reset();
        other.join();
    }
}

TEST_F(future, either_side_may_go_first) {
    coir::promise<std::shared_ptr<int>> p;
    auto token = std::make_shared<int>(1);
    { auto f = p.get_future(); }
    p.set_value(token);
    EXPECT_EQ(token.use_count(), 2);
    p = {};
    EXPECT_EQ(token.use_count(), 1);
}

}  // namespace
