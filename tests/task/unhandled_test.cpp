// Errors that nobody asks for are told once, by name.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using task_tests::thrown_by;
using task_tests::yield_times;

class unhandled : public task_tests::clean_test {
protected:
    void SetUp() override {
        coir::hub::current().on_unhandled([this](std::string_view name, std::exception_ptr error) {
            told_.push_back(std::string(name) + ": " + thrown_by([&] { std::rethrow_exception(error); }));
        });
    }
    void TearDown() override { coir::hub::current().on_unhandled(nullptr); }

    static coir::task<void> failing(std::string name = "t") {
        return coir::spawn({.name = std::move(name)}, [] { throw std::runtime_error("lost"); });
    }

    std::vector<std::string> told_;
    const std::vector<std::string> once_{"t: lost"};
};

TEST_F(unhandled, the_error_of_a_detached_task_is_told_when_it_ends) {
    failing();
    yield();
    EXPECT_EQ(told_, once_);
}

TEST_F(unhandled, that_of_a_task_that_nobody_joined_is_told_with_its_last_handle) {
    auto t = failing();
    auto copy = t;
    yield();
    t = {};
    EXPECT_TRUE(told_.empty());
    copy = {};
    EXPECT_EQ(told_, once_);
}

TEST_F(unhandled, one_that_somebody_has_seen_is_not_told) {
    const auto seen_by = [](auto see) {
        auto t = failing();
        see(t);
    };
    seen_by([](auto& t) { t.join(); });
    seen_by([](auto& t) { thrown_by([&] { t.get(); }); });
    seen_by([](auto& t) { EXPECT_TRUE(t.join_for(1h)); });
    seen_by([](auto& t) { thrown_by([&] { coir::gather(t); }); });
    seen_by([](auto& t) { coir::wait(std::vector{t}); });
    seen_by([](auto& t) {
        for (auto& each : coir::as_completed(std::vector{t})) (void)each;
    });
    EXPECT_TRUE(told_.empty()) << told_.front();
}

TEST_F(unhandled, a_join_that_gave_up_has_not_seen_it) {
    {
        coir::event go;
        auto t = coir::spawn({.name = "t"}, [&] {
            go.wait();
            throw std::runtime_error("lost");
        });
        EXPECT_FALSE(t.join_for(0ms));
        EXPECT_TRUE(coir::wait(std::vector{t}, {.timeout = 0ms}).done.empty());
        auto joiner = coir::spawn([&] { t.join(); });
        task_tests::until_parked(joiner);
        joiner.cancel();
        joiner.join();
        go.set();
        yield();
    }
    EXPECT_EQ(told_, once_);
}

TEST_F(unhandled, a_cancellation_is_no_error) {
    auto t = coir::spawn([] { sleep_for(1h); });
    yield();
    t.cancel();
    t = {};
    coir::spawn([] { throw coir::fiber_exit{}; });
    coir::spawn([] { throw coir::cancelled{}; });
    yield_times(3);
    EXPECT_TRUE(told_.empty());
}

TEST_F(unhandled, that_of_a_task_whose_last_handle_goes_on_another_thread_is_told) {
    auto t = failing();
    yield();
    testing::internal::CaptureStderr();
    std::thread([gone = std::move(t)]() mutable { gone = {}; }).join();
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("\"t\": lost"), std::string::npos) << "there is no hub, so it is written";
}

TEST_F(unhandled, that_of_a_task_of_a_pool_is_told_by_its_hub_as_long_as_there_is_one) {
    std::mutex lock;
    std::vector<std::string> told;
    coir::task<void> early, late;
    const auto failing_in_pool = [](coir::hub_pool& hubs) {
        auto t = hubs.spawn({.name = "t"}, [] { throw std::runtime_error("lost"); });
        while (!t.done()) sleep_for(1ms);
        return t;
    };
    {
        coir::hub_pool hubs({.hubs = 2, .on_unhandled = [&](std::string_view name, std::exception_ptr) {
                                 const std::lock_guard guard(lock);
                                 told.emplace_back(name);
                             }});
        early = failing_in_pool(hubs), late = failing_in_pool(hubs);
        early = {};
    }
    EXPECT_EQ(told, std::vector<std::string>{"t"});
    EXPECT_TRUE(told_.empty());
    coir::hub_pool others({.hubs = 2, .on_unhandled = [](std::string_view, std::exception_ptr) {
                               ADD_FAILURE() << "that thread is another one now";
                           }});
    late = {};
    EXPECT_EQ(told_, once_) << "the pool has ended";
}

TEST_F(unhandled, each_hub_has_a_handler_of_its_own) {
    std::vector<std::string> there;
    std::thread([&] {
        coir::hub::current().on_unhandled([&](std::string_view name, std::exception_ptr) { there.emplace_back(name); });
        failing("there");
        yield();
    }).join();
    EXPECT_EQ(there, std::vector<std::string>{"there"});
    EXPECT_TRUE(told_.empty());
}

TEST_F(unhandled, the_handler_may_take_what_it_wants) {
    int calls = 0;
    coir::hub::current().on_unhandled([&](std::exception_ptr) { ++calls; });
    failing();
    yield();
    coir::hub::current().on_unhandled([&](std::exception_ptr, std::string_view name) { calls += name == "t"; });
    failing();
    yield();
    EXPECT_EQ(calls, 2);
}

TEST_F(unhandled, the_handler_may_replace_itself_and_spawn) {
    int late = 0;
    coir::hub::current().on_unhandled([&](std::exception_ptr) {
        coir::hub::current().on_unhandled(nullptr);
        coir::spawn([&] { ++late; });
    });
    failing();
    yield_times(2);
    EXPECT_EQ(late, 1);
}

TEST_F(unhandled, without_a_handler_it_is_written_with_its_name_whatever_its_type) {
    coir::hub::current().on_unhandled(nullptr);
    testing::internal::CaptureStderr();
    failing("first");
    coir::spawn({.name = "second"}, [] { throw 42; });
    yield();
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("\"first\": lost"), std::string::npos) << text;
    EXPECT_NE(text.find("\"second\": an exception of type int"), std::string::npos) << text;
}

TEST_F(unhandled, a_thousand_that_fail_are_each_told_once) {
    for (int i = 0; i < 1'000; ++i) failing();
    yield();
    while (told_.size() < 1'000) yield();
    yield_times(3);
    EXPECT_EQ(told_.size(), 1'000u);
}

TEST_F(unhandled, what_the_handler_makes_of_fiber_locals_is_not_the_next_fibers) {
    coir::fiber_local<int> local;
    coir::hub::current().on_unhandled([&](std::string_view, std::exception_ptr) { *local = 42; });
    // Its parent, the task, has ended by the time it fails: nobody gets the error.
    coir::fiber failing_late, caller;
    auto task = coir::spawn([&] {
        caller = coir::fiber::current();
        failing_late = coir::fiber([&] {
            sleep_for(1ms);
            throw std::runtime_error("lost");
        });
        failing_late.switch_to();
    });
    yield();
    coir::spawn([&] { caller.switch_to(); });
    task.join();
    while (!failing_late.dead()) sleep_for(1ms);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(coir::spawn([&] { return *local; }).get(), 0);
    EXPECT_EQ(coir::fiber([&] { return *local; }).switch_to().as<int>(), 0);
}

}  // namespace
