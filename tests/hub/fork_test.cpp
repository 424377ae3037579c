#include <coir/hub.hpp>
#include <coir/hub/signal.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"
#include "task/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

using namespace std::chrono_literals;
using fork_in = task_tests::clean_test;
using task_tests::in_child;
using task_tests::until_parked;

TEST_F(fork_in, the_child_has_a_fresh_hub) {
    EXPECT_EQ(in_child([] {
                  int ran = 0;
                  auto t = coir::spawn([&] {
                      coir::this_fiber::sleep_for(1ms);
                      ++ran;
                  });
                  t.get();
                  return ran == 1 ? 0 : 1;
              }),
              0);
}

TEST_F(fork_in, in_the_child_the_other_tasks_read_as_cancelled) {
    coir::event go;
    auto parked = coir::spawn([&] { go.wait(); });
    until_parked(parked);
    auto unstarted = coir::spawn([] {});
    EXPECT_EQ(in_child([&] {
                  if (!parked.done() || !unstarted.done()) return 1;
                  if (task_tests::thrown_by([&] { parked.get(); }) != "task_cancelled") return 2;
                  if (task_tests::thrown_by([&] { unstarted.get(); }) != "task_cancelled") return 3;
                  go.set();
                  return 0;
              }),
              0);
    EXPECT_FALSE(parked.done());
    go.set();
    parked.get();
    unstarted.get();
}

/// Its destructor suspends.
struct slow_to_go {
    explicit slow_to_go(coir::event& e) : may_go(&e) {}
    slow_to_go(slow_to_go&& other) noexcept : may_go(std::exchange(other.may_go, nullptr)) {}
    ~slow_to_go() {
        const coir::shield unwinding_goes_on;
        if (may_go) may_go->wait();
    }
    coir::event* may_go;
};

TEST_F(fork_in, in_the_child_a_task_that_was_ending_with_an_error_reads_as_cancelled) {
    coir::event go;
    auto ending = coir::spawn([slow = slow_to_go(go)] { throw std::runtime_error("the parent's"); });
    until_parked(ending);
    EXPECT_EQ(in_child([&] {
                  if (task_tests::thrown_by([&] { ending.get(); }) != "task_cancelled") return 1;
                  return ending.was_cancelled() ? 0 : 2;
              }),
              0);
    go.set();
    EXPECT_EQ(task_tests::thrown_by([&] { ending.get(); }), "the parent's");
}

TEST_F(fork_in, in_the_child_posts_to_a_hub_that_was_being_posted_to_are_refused) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the sanitizer's allocator does not wait at the fork for the locks that other threads hold in it";
#endif
    std::atomic<coir::hub*> there{nullptr};
    coir::event end;
    std::atomic<bool> stop{false};
    std::thread other([&] {
        there = &coir::hub::current();
        end.wait();
    });
    while (!there) ::sched_yield();
    coir::hub handle = *there.load();
    std::thread posts([&] {
        for (std::atomic<int> sent{0}, ran{0}; !stop;) {
            for (int i = 0; i < 100; ++i, ++sent) handle.post([&ran] { ++ran; });
            while (ran != sent) ::sched_yield();
        }
    });
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(in_child([&] { return handle.post([] {}) ? 1 : 0; }), 0);
    }
    stop = true;
    posts.join();
    end.set();
    other.join();
}

TEST_F(fork_in, in_the_child_the_tasks_of_other_threads_read_as_cancelled) {
    coir::task<void> other;
    coir::event go;
    std::atomic<bool> made{false};
    std::thread thread([&] {
        other = coir::spawn([&] { go.wait(); });
        made = true;
        other.join();
    });
    while (!made) ::sched_yield();
    EXPECT_EQ(in_child([&] {
                  if (!other.join_for(200ms)) return 1;
                  return task_tests::thrown_by([&] { other.get(); }) == "task_cancelled" ? 0 : 2;
              }),
              0);
    go.set();
    thread.join();
    other = {};
}

TEST_F(fork_in, a_fiber_that_forks_lives_on_alone) {
    coir::event go;
    auto bystander = coir::spawn([&] { go.wait(); });
    until_parked(bystander);
    auto t = coir::spawn([&] {
        return in_child([&] {
            coir::this_fiber::sleep_for(1ms);
            auto mine = coir::spawn([] { return 5; });
            return mine.get() == 5 && bystander.done() ? 0 : 1;
        });
    });
    EXPECT_EQ(t.get(), 0);
    go.set();
    bystander.get();
}

TEST_F(fork_in, the_parent_loses_nothing_in_200_forks) {
    int fds[2];
    ASSERT_EQ(::pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    int received = 0;
    auto reader = coir::spawn([&] {
        for (char c; received < 200;) {
            coir::wait_readable(fds[0]);
            while (::read(fds[0], &c, 1) == 1) ++received;
        }
    });
    until_parked(reader);
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(::write(fds[1], "x", 1), 1);
        EXPECT_EQ(in_child([] {
                      coir::this_fiber::yield();
                      return 0;
                  }),
                  0);
        coir::this_fiber::yield();
    }
    reader.get();
    EXPECT_EQ(received, 200);
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(fork_in, pending_posts_and_timers_stay_with_the_parent) {
    int ran = 0;
    coir::hub::current().post([&] { ++ran; });
    auto sleeper = coir::spawn([&] {
        coir::this_fiber::sleep_for(1ms);
        ++ran;
    });
    until_parked(sleeper);
    coir::hub::current().post([&] { ++ran; });
    EXPECT_EQ(in_child([&] {
                  const int before = ran;
                  coir::this_fiber::sleep_for(5ms);
                  return ran == before ? 0 : 1;
              }),
              0);
    sleeper.get();
    EXPECT_EQ(ran, 3);
}

TEST_F(fork_in, the_unwinding_of_a_dropped_fiber_may_be_parked) {
    struct waits {
        coir::event& until;
        ~waits() {
            coir::shield mask;
            until.wait();
        }
    };
    coir::event go;
    coir::fiber f([&] {
        const waits at_end{go};
        coir::fiber::current().parent().switch_to();
    });
    f.switch_to();
    const auto& core = *f.core();
    std::thread([gone = std::move(f)]() mutable { gone = {}; }).join();
    until_parked(core);
    EXPECT_EQ(in_child([] {
                  coir::this_fiber::sleep_for(1ms);
                  return 0;
              }),
              0);
    go.set();
    task_tests::yield_times(3);
}

TEST_F(fork_in, threads_that_were_blocked_in_the_parent_do_not_count_in_the_child) {
    coir::promise<int> held;
    auto blocked_on = held.get_future();
    std::thread blocked([&] { blocked_on.wait(); });
    coir::this_fiber::sleep_for(50ms);  // nothing shows from outside that a thread blocks
    EXPECT_EQ(in_child([] {
                  coir::promise<int> p;
                  auto f = p.get_future();
                  std::atomic<bool> go{false};
                  std::thread worker([&] {
                      const auto end = std::chrono::steady_clock::now() + 200ms;
                      while (std::chrono::steady_clock::now() < end) ::sched_yield();
                      p.set_value(1);
                  });
                  const std::string error = task_tests::thrown_by([&] { f.wait(); });
                  worker.join();
                  return error.empty() ? 0 : 1;
              }),
              0);
    held.set_value(1);
    blocked.join();
}

TEST_F(fork_in, the_hubs_of_other_threads_have_ended_in_the_child) {
    std::atomic<coir::hub*> there{nullptr};
    coir::event end;
    std::thread other([&] {
        there = &coir::hub::current();
        end.wait();
    });
    while (!there) ::sched_yield();
    coir::hub handle = *there.load();
    EXPECT_EQ(in_child([&] { return handle.post([] {}) ? 1 : 0; }), 0);
    EXPECT_TRUE(handle.post([] {}));
    end.set();
    other.join();
}

/// The parent waits for the same signal: it must not take in the child's wake.
TEST_F(fork_in, a_signal_set_of_the_parent_works_in_the_child) {
    coir::signal_set set{SIGUSR1};
    auto in_parent = coir::spawn([&] { set.wait(); });
    until_parked(in_parent);
    const pid_t pid = ::fork();
    if (pid == 0) {
        auto t = coir::spawn([&] { set.wait(); });
        until_parked(t);
        ::kill(::getpid(), SIGUSR1);
        const auto busy = coir::deadline::after(50ms);
        while (!busy.expired()) ::sched_yield();
        ::_exit(t.join_for(1s) ? 0 : 1);
    }
    int status = 0;
    while (::waitpid(pid, &status, WNOHANG) != pid) coir::this_fiber::sleep_for(1ms);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_FALSE(in_parent.done());
    in_parent.cancel();
    in_parent.join();
}

}  // namespace
