#include <coir/hub.hpp>
#include <coir/hub/signal.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <signal.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::signal_set;
using signals = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

void send(int number) { EXPECT_EQ(::kill(::getpid(), number), 0); }

/// The function that is called for a signal now.
auto handler_of(int number) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    return action.sa_handler;
}

TEST_F(signals, a_fiber_waits_for_one) {
    signal_set set{SIGUSR1};
    auto t = coir::spawn([&] { return set.wait(); });
    until_parked(t);
    send(SIGUSR1);
    EXPECT_EQ(t.get(), SIGUSR1);
}

TEST_F(signals, the_main_fiber_waits_for_one_from_another_thread) {
    signal_set set{SIGUSR1, SIGUSR2};
    std::atomic<bool> waits{false};
    std::thread other([&] {
        waits.wait(false);
        send(SIGUSR2);
    });
    // ThreadSanitizer keeps a signal back for the fiber that it interrupts, until that one runs on. So it is to come
    // while the loop runs, and not when that has just begun.
    coir::this_fiber::sleep_for(1ms);
    coir::hub::current().post([&] {
        waits = true;
        waits.notify_one();
    });
    EXPECT_EQ(set.wait(), SIGUSR2);
    other.join();
}

TEST_F(signals, that_arrived_before_the_wait_are_kept_each_once_the_lowest_first) {
    signal_set set{SIGUSR1, SIGUSR2, SIGHUP};
    for (int i = 0; i < 5; ++i) {
        send(SIGUSR2);
        send(SIGHUP);
    }
    EXPECT_EQ(set.wait(), SIGHUP);
    EXPECT_EQ(set.wait(), SIGUSR2);
    EXPECT_EQ(set.try_wait(), std::nullopt);
    EXPECT_EQ(set.wait_for(1ms), std::nullopt);
}

TEST_F(signals, limits_are_never_early) {
    signal_set set{SIGUSR1};
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(set.wait_for(3ms), std::nullopt);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    EXPECT_EQ(set.wait_for(-1s), std::nullopt);
    send(SIGUSR1);
    EXPECT_EQ(set.wait_until(coir::deadline::after(0ms)), SIGUSR1);
}

TEST_F(signals, each_of_several_sets_is_told) {
    signal_set a{SIGUSR1}, b{SIGUSR1, SIGUSR2};
    send(SIGUSR1);
    EXPECT_EQ(a.wait(), SIGUSR1);
    EXPECT_EQ(b.wait(), SIGUSR1);
    send(SIGUSR2);
    EXPECT_EQ(b.wait(), SIGUSR2);
    EXPECT_EQ(a.try_wait(), std::nullopt);
}

TEST_F(signals, a_set_on_each_of_two_hubs) {
    signal_set here{SIGUSR1};
    coir::event ready;
    std::thread other([&] {
        signal_set there{SIGUSR1};
        ready.set();
        EXPECT_EQ(there.wait(), SIGUSR1);
    });
    ready.wait();
    send(SIGUSR1);
    EXPECT_EQ(here.wait(), SIGUSR1);
    other.join();
}

TEST_F(signals, a_cancelled_wait_loses_none) {
    signal_set set{SIGUSR1};
    auto t = coir::spawn([&] { set.wait(); });
    until_parked(t);
    t.cancel();
    send(SIGUSR1);
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(set.wait(), SIGUSR1);
}

TEST_F(signals, a_timeout_scope_interrupts_the_wait) {
    signal_set set{SIGUSR1};
    EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { set.wait(); }); }), "timed_out");
}

TEST_F(signals, the_former_action_comes_back_with_the_last_set) {
    const auto mine = +[](int) {};
    const auto before = ::signal(SIGUSR1, mine);
    auto first = std::make_unique<signal_set>(std::initializer_list<int>{SIGUSR1});
    auto second = std::make_unique<signal_set>(std::initializer_list<int>{SIGUSR1});
    first.reset();
    EXPECT_NE(handler_of(SIGUSR1), mine);
    second.reset();
    EXPECT_EQ(handler_of(SIGUSR1), mine);
    ::signal(SIGUSR1, before);
}

TEST_F(signals, no_mask_is_touched) {
    sigset_t before, during;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
    const signal_set set{SIGUSR1};
    ::pthread_sigmask(SIG_SETMASK, nullptr, &during);
    EXPECT_EQ(::sigismember(&before, SIGUSR1), ::sigismember(&during, SIGUSR1));
}

TEST_F(signals, numbers_that_cannot_be_caught_are_refused_and_nothing_has_changed) {
    // 32 and 33 are the C library's own.
    for (const int number : {0, -1, 65, 32, 33, SIGKILL, SIGSTOP}) {
        const auto before = handler_of(SIGUSR1);
        EXPECT_EQ(thrown_by([=] { const signal_set set{SIGUSR1, number}; }), "system_error") << number;
        EXPECT_EQ(handler_of(SIGUSR1), before) << number;
    }
}

TEST_F(signals, real_time_ones_too) {
    signal_set set{SIGRTMIN, SIGRTMAX};
    send(SIGRTMAX);
    EXPECT_EQ(set.wait(), SIGRTMAX);
    send(SIGRTMIN);
    EXPECT_EQ(set.wait(), SIGRTMIN);
}

TEST_F(signals, more_sets_than_there_is_room_for_are_refused) {
    std::vector<std::unique_ptr<signal_set>> sets;
    std::string error;
    while (error.empty() && sets.size() < 1'000) {
        error = thrown_by([&] { sets.push_back(std::make_unique<signal_set>(std::initializer_list<int>{SIGUSR1})); });
    }
    EXPECT_EQ(error, "fiber_error");
    sets.pop_back();
    sets.push_back(std::make_unique<signal_set>(std::initializer_list<int>{SIGUSR1}));
}

TEST_F(signals, a_storm_disturbs_no_wait) {
    signal_set set{SIGUSR1};
    std::atomic<bool> stop{false};
    std::thread storm([&] {
        while (!stop) {
            ::kill(::getpid(), SIGUSR1);
            ::sched_yield();
        }
    });
    for (int i = 0; i < 100; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        coir::this_fiber::sleep_for(200us);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 200us);
        EXPECT_EQ(set.wait(), SIGUSR1);
    }
    stop = true;
    storm.join();
}

}  // namespace
