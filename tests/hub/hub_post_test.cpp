#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "base/syscall.hpp"
#include "task/leftovers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using coir::hub;
using hub_post = task_tests::clean_test;
using task_tests::let_posts_run;

TEST_F(hub_post, from_the_own_thread_runs_when_the_fiber_suspends) {
    int ran = 0;
    EXPECT_TRUE(hub::current().post([&] { ++ran; }));
    EXPECT_EQ(ran, 0);
    coir::event done;
    hub::current().post([&] { done.set(); });
    done.wait();
    EXPECT_EQ(ran, 1);
}

TEST_F(hub_post, runs_in_the_order_of_the_posts) {
    std::vector<int> order;
    coir::event done;
    for (int i = 0; i < 100; ++i) hub::current().post([&, i] { order.push_back(i); });
    hub::current().post([&] { done.set(); });
    done.wait();
    ASSERT_EQ(order.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST_F(hub_post, four_threads_lose_no_wake) {
    constexpr int each = 20'000;
    hub here = hub::current();
    int ran = 0;  // only this hub's thread touches it
    coir::event done;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, here]() mutable {
            for (int n = 0; n < each; ++n) {
                here.post([&] {
                    if (++ran == 4 * each) done.set();
                });
                if (n % 64 == 0) ::sched_yield();
            }
        });
    }
    done.wait();
    for (auto& t : threads) t.join();
    EXPECT_EQ(ran, 4 * each);
}

TEST_F(hub_post, an_idle_hub_is_woken_every_time) {
    hub here = hub::current();
    coir::channel<int> pings(1);
    std::atomic<int> answered{0};
    std::thread other([&] {
        for (int i = 0; i < 5'000; ++i) {
            here.post([&, i] { pings.try_send(i); });
            while (answered.load() <= i) ::sched_yield();
        }
    });
    for (int i = 0; i < 5'000; ++i) {
        EXPECT_EQ(pings.recv(), i);
        ++answered;
    }
    other.join();
}

TEST_F(hub_post, an_ended_hub_says_no_and_runs_nothing) {
    std::optional<hub> ended;
    std::thread([&] { ended = hub::current(); }).join();
    bool ran = false;
    EXPECT_FALSE(ended->post([&] { ran = true; }));
    EXPECT_FALSE(ran);
}

TEST_F(hub_post, what_was_not_run_is_destroyed_with_the_hub) {
    auto token = std::make_shared<int>(1);
    std::thread([&] { hub::current().post([token] {}); }).join();
    EXPECT_EQ(token.use_count(), 1);
}

TEST_F(hub_post, what_has_run_is_destroyed_at_once) {
    auto token = std::make_shared<int>(1);
    for (int i = 0; i < 3; ++i) {
        hub::current().post([token] {});
        EXPECT_EQ(token.use_count(), 2);
        let_posts_run();
        EXPECT_EQ(token.use_count(), 1);
    }
}

/// Posts when its thread ends, after whatever the thread has used since it was made.
struct last_words {
    ~last_words() {
        to->post([count = count] { ++*count; });
    }
    std::optional<hub> to;
    int* count = nullptr;
};

TEST_F(hub_post, from_the_destructors_of_a_thread_arrives) {
    int count = 0;
    std::thread([&count, here = hub::current()] {
        static thread_local last_words words;
        words.to = here;
        words.count = &count;
        for (int i = 0; i < 300; ++i) here.post([&count] { ++count; });
    }).join();
    let_posts_run();
    EXPECT_EQ(count, 301);
}

/// The hub has ended, and its descriptors are others', when the thread that has posted goes on.
TEST_F(hub_post, a_function_may_drop_the_handle_by_which_it_came) {
    static thread_local bool is_slow = false;
    static std::atomic<bool> go_on;
    go_on = false;
    coir::detail::sys.write = [](int fd, const void* data, size_t size) {
        while (is_slow && !go_on) ::sched_yield();
        return ::write(fd, data, size);
    };
    coir::event stop;
    std::atomic<hub*> target{nullptr};
    std::thread owner([&] {
        target = &hub::current();
        while (!stop.wait_for(std::chrono::milliseconds(20))) continue;
    });
    while (!target) ::sched_yield();
    std::thread poster([&, job = std::make_unique<hub>(*target.load())]() mutable {
        is_slow = true;
        hub& home = *job;
        home.post([&stop, mine = std::move(job)]() mutable {
            mine.reset();
            stop.set();
        });
    });
    owner.join();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    std::vector<int> copies;
    for (int i = 0; i < 8; ++i) copies.push_back(::dup(ends[1]));
    go_on = true;
    poster.join();
    coir::detail::sys.write = ::write;
    char byte;
    EXPECT_EQ(::read(ends[0], &byte, 1), -1) << "the wake has gone to a stranger";
    for (const int fd : copies) ::close(fd);
    ::close(ends[0]), ::close(ends[1]);
}

TEST_F(hub_post, posts_while_a_hub_ends_run_or_are_refused) {
    for (int round = 0; round < 200; ++round) {
        std::atomic<hub*> target{nullptr};
        std::atomic<bool> taken{false};
        auto token = std::make_shared<int>(0);
        std::thread owner([&] {
            target = &hub::current();
            while (!taken) coir::this_fiber::yield();
        });
        while (!target) ::sched_yield();
        hub handle = *target.load();
        taken = true;
        while (handle.post([token] {})) ::sched_yield();
        owner.join();
        EXPECT_EQ(token.use_count(), 1) << "each function has been destroyed";
    }
}

TEST_F(hub_post, a_posted_function_may_not_suspend) {
    std::vector<std::string> refused;
    coir::event never, done;
    hub::current().post([&] {
        refused.push_back(task_tests::thrown_by([] { coir::this_fiber::yield(); }));
        refused.push_back(task_tests::thrown_by([] { coir::this_fiber::sleep_for(std::chrono::seconds(1)); }));
        refused.push_back(task_tests::thrown_by([&] { never.wait(); }));
        refused.push_back(task_tests::thrown_by([] { hub::current().poll(); }));
        refused.push_back(task_tests::thrown_by([] { coir::fiber([] {}).switch_to(); }));
        refused.push_back(task_tests::thrown_by([] { coir::wait_readable(0); }));
        done.set();
    });
    done.wait();
    EXPECT_EQ(refused, std::vector<std::string>(6, "fiber_error"));
}

TEST_F(hub_post, a_posted_function_may_spawn_and_wake) {
    int ran = 0;
    coir::event done;
    hub::current().post([&] {
        coir::spawn([&] {
            coir::this_fiber::yield();
            ++ran;
            done.set();
        });
    });
    done.wait();
    EXPECT_EQ(ran, 1);
}

TEST_F(hub_post, its_error_goes_to_on_unhandled_and_the_loop_goes_on) {
    std::vector<std::string> told;
    hub::current().on_unhandled([&](std::string_view name, std::exception_ptr) { told.emplace_back(name); });
    hub::current().post([] { throw std::runtime_error("first"); });
    hub::current().post([] { throw 5; });
    coir::event done;
    hub::current().post([&] { done.set(); });
    done.wait();
    hub::current().on_unhandled(nullptr);
    EXPECT_EQ(told.size(), 2u);
}

TEST_F(hub_post, a_broken_handler_does_not_stop_the_loop) {
    testing::internal::CaptureStderr();
    hub::current().on_unhandled([](std::exception_ptr) { throw std::runtime_error("broken handler"); });
    hub::current().post([] { throw std::runtime_error("the first error"); });
    coir::event done;
    hub::current().post([&] { done.set(); });
    done.wait();
    hub::current().on_unhandled(nullptr);
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("the first error"), std::string::npos);
    EXPECT_NE(text.find("broken handler"), std::string::npos);
}

TEST_F(hub_post, a_function_that_posts_itself_again_starves_nobody) {
    using namespace std::chrono_literals;
    bool stop = false;
    std::function<void()> again = [&] {
        if (!stop) hub::current().post(again);
    };
    hub::current().post(again);
    coir::this_fiber::sleep_for(2ms);
    stop = true;
    coir::event done;
    hub::current().post([&] { done.set(); });
    done.wait();
}

/// The wake-up counter of a new hub is as full as it can be: to write to it once more would block.
int full_eventfd(unsigned, int flags) {
    const int fd = ::eventfd(0, flags);
    const std::uint64_t most = ~std::uint64_t{0} - 1;
    EXPECT_EQ(::write(fd, &most, sizeof most), static_cast<ssize_t>(sizeof most));
    return fd;
}

TEST_F(hub_post, a_full_wake_up_counter_loses_no_wake) {
    std::thread([] {
        coir::detail::sys.eventfd = full_eventfd;
        hub here = hub::current();
        coir::detail::sys.eventfd = ::eventfd;
        coir::event done;
        int ran = 0;
        std::thread poster([&] {
            for (int i = 0; i < 1'000; ++i) here.post([&] { ++ran; });
            here.post([&] { done.set(); });
        });
        done.wait();
        poster.join();
        EXPECT_EQ(ran, 1'000);
    }).join();
}

}  // namespace
