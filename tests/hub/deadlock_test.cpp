// A deadlock is certain only where the kernel counts no thread that coir does not know; under TSan there is always
// one more, so what needs the count is skipped there.
#include "base/syscall.hpp"

#include <coir/exec.hpp>
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using task_tests::until_parked;

class deadlocked : public task_tests::clean_test {
protected:
    void SetUp() override {
#ifdef __SANITIZE_THREAD__
        GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
#endif
    }
};

std::string text_of_deadlock(const std::function<void()>& wait) {
    try {
        wait();
    } catch (const coir::deadlock& e) {
        return e.what();
    }
    return {};
}

TEST_F(deadlocked, main_is_told_who_waits_for_what) {
    coir::event never;
    coir::mutex m;
    m.lock();
    auto a = coir::spawn({.name = "a"}, [&] { never.wait(); });
    auto b = coir::spawn({.name = "b"}, [&] { m.lock(); });
    const std::string text = text_of_deadlock([&] { a.join(); });
    EXPECT_NE(text.find("\"main\" waits for the end of task \"a\""), std::string::npos) << text;
    EXPECT_NE(text.find("\"a\" waits for event"), std::string::npos) << text;
    EXPECT_NE(text.find("\"b\" waits for mutex"), std::string::npos) << text;
    a.cancel();
    b.cancel();
    a.join();
    b.join();
    m.unlock();
}

/// A hub that is on its way to sleep, and is kept from it, has something to do if something was sent to it meanwhile.
std::atomic<bool> is_kept{false}, is_told{false};
thread_local bool is_slow = false;

int open_slowly(const char* path, int flags, ...) {
    if (is_slow && !is_kept.exchange(true)) {
        const auto start = std::chrono::steady_clock::now();
        while (!is_told && std::chrono::steady_clock::now() - start < 200ms) std::this_thread::yield();
    }
    return ::open(path, flags);
}

TEST_F(deadlocked, not_while_a_wake_is_on_its_way_to_one_that_is_not_yet_asleep) {
    coir::hub::current();
    const auto real = std::exchange(coir::detail::sys.open, open_slowly);
    coir::semaphore there, back;
    std::thread other([&] {
        is_slow = true;
        coir::spawn([&] {
            there.acquire();
            back.release();
        }).join();
    });
    while (!is_kept) std::this_thread::yield();  // it has counted itself among the stuck, and looks for others
    there.release();
    const std::string told = text_of_deadlock([&] { back.acquire(); });
    is_told = true;
    EXPECT_EQ(told, "");
    other.join();
    coir::detail::sys.open = real;
}

TEST_F(deadlocked, the_hub_is_usable_afterwards) {
    coir::event e;
    for (int i = 0; i < 3; ++i) EXPECT_NE(text_of_deadlock([&] { e.wait(); }), "");
    auto t = coir::spawn([&] {
        coir::this_fiber::sleep_for(1ms);
        e.set();
        return 3;
    });
    e.wait();
    EXPECT_EQ(t.get(), 3);
}

TEST_F(deadlocked, main_suspended_in_a_switch_is_told) {
    coir::event never;
    coir::fiber f([&] { never.wait(); });
    EXPECT_NE(text_of_deadlock([&] { f.switch_to(); }), "");
    f = {};
    task_tests::yield_times(2);
}

TEST_F(deadlocked, a_sleep_for_ever_is_one) {
    EXPECT_NE(text_of_deadlock([] { coir::this_fiber::sleep_for(coir::time_span::forever()); }), "");
}

TEST_F(deadlocked, a_timer_or_a_descriptor_is_none) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    coir::event done;
    auto reader = coir::spawn([&] { coir::wait_readable(fds[0]); });
    auto timer = coir::spawn([&] {
        coir::this_fiber::sleep_for(3ms);
        EXPECT_EQ(::write(fds[1], "x", 1), 1);
    });
    reader.get();
    timer.get();
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(deadlocked, while_a_foreign_thread_lives_nothing_is_thrown) {
    coir::event e;
    std::thread foreign([&] {
        const auto end = std::chrono::steady_clock::now() + 100ms;
        while (std::chrono::steady_clock::now() < end) ::sched_yield();
        e.set();
    });
    EXPECT_EQ(text_of_deadlock([&] { e.wait(); }), "");
    foreign.join();
}

TEST_F(deadlocked, two_hubs_that_wait_for_each_other) {
    coir::event mine, theirs;
    std::thread other([&] {
        (void)coir::hub::current();
        text_of_deadlock([&] { theirs.wait(); });
        mine.set();
    });
    text_of_deadlock([&] { mine.wait(); });
    theirs.set();
    other.join();
}

TEST_F(deadlocked, a_hub_that_runs_a_posted_function_is_not_stuck) {
    std::atomic<coir::hub*> there{nullptr};
    coir::event end;
    std::thread other([&] {
        there = &coir::hub::current();
        end.wait();
    });
    while (!there) ::sched_yield();
    coir::hub handle = *there.load();
    const auto settled = std::chrono::steady_clock::now() + 100ms;
    while (std::chrono::steady_clock::now() < settled) ::sched_yield();  // until the other one is stuck
    coir::event woken;
    std::atomic<bool> running{false};
    handle.post([&] {
        running = true;
        const auto until = std::chrono::steady_clock::now() + 300ms;
        while (std::chrono::steady_clock::now() < until) ::sched_yield();
        woken.set();
    });
    while (!running) ::sched_yield();
    EXPECT_EQ(text_of_deadlock([&] { woken.wait(); }), "");
    woken.wait();
    end.set();
    other.join();
}

/// The hub may have looked at its mail before the thread wrote, and counts the threads after that one has ended.
TEST_F(deadlocked, a_thread_that_ends_right_after_its_wake_is_none) {
    std::vector<std::string> told;
    coir::hub here = coir::hub::current();
    here.on_unhandled([&](std::string_view name, std::exception_ptr) { told.emplace_back(name); });
    for (int i = 0; i < 20'000; ++i) {
        const auto e = std::make_shared<coir::event>();
        std::thread([e, here, i]() mutable {
            if (i % 2) {
                e->set();
            } else {
                here.post([e] { e->set(); });
            }
        }).detach();
        ASSERT_EQ(text_of_deadlock([&] { e->wait(); }), "") << i;
    }
    here.on_unhandled(nullptr);
    EXPECT_TRUE(told.empty());
}

TEST_F(deadlocked, many_short_waits_for_a_foreign_thread_do_not_look_like_one) {
    testing::internal::CaptureStderr();
    const auto end = coir::deadline::after(2'300ms);  // it is said after 2 s
    coir::channel<coir::event*> requests(1);
    std::thread other([&] {
        while (const auto e = requests.recv()) {
            const auto work = coir::deadline::after(2ms);
            while (!work.expired()) ::sched_yield();
            (*e)->set();
        }
    });
    while (!end.expired()) {
        coir::event answered;
        requests.send(&answered);
        answered.wait();
    }
    requests.close();
    other.join();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// --- hub_pools: their hubs' main fibers are coir's, so the one that made the pool is told

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

TEST_F(deadlocked, tasks_of_a_pool_that_wait_for_each_other_are_told_to_who_waits_for_them) {
    coir::hub_pool hubs(3);
    coir::event a, b;
    coir::mutex m;
    auto first = hubs.spawn_on(0, {.name = "first"}, [&] {
        a.wait();
        b.set();
    });
    auto second = hubs.spawn_on(1, {.name = "second"}, [&] {
        b.wait();
        a.set();
    });
    auto mine = coir::spawn({.name = "mine"}, [&] { a.wait(); });
    const std::string text = text_of_deadlock([&] { first.join(); });
    EXPECT_TRUE(has(text, "\"main\" waits for the end of task \"first\"")) << text;
    EXPECT_TRUE(has(text, "\"mine\" waits for event")) << text;
    EXPECT_TRUE(has(text, "\"first\" waits for event")) << text;
    EXPECT_TRUE(has(text, "\"second\" waits for event")) << text;
    std::size_t others = 0;
    for (std::size_t at = 0; (at = text.find("on another hub", at)) != std::string::npos; ++at) ++others;
    EXPECT_EQ(others, 3u) << text;
    a.set();
    for (auto* t : {&first, &second, &mine}) t->get();
}

TEST_F(deadlocked, the_pool_is_usable_afterwards) {
    coir::hub_pool hubs(2);
    coir::event never;
    auto t = hubs.spawn([&] { never.wait(); });
    for (int i = 0; i < 3; ++i) EXPECT_NE(text_of_deadlock([&] { t.join(); }), "");
    EXPECT_EQ(hubs.spawn([] { return 3; }).get(), 3);
    never.set();
    t.get();
}

TEST_F(deadlocked, a_main_that_waits_for_nothing_of_the_pool_is_told_too) {
    coir::hub_pool hubs(2);
    coir::event never;
    EXPECT_TRUE(has(text_of_deadlock([&] { never.wait(); }), "\"main\" waits for event"));
}

TEST_F(deadlocked, a_timer_or_a_descriptor_of_any_hub_is_none) {
    coir::hub_pool hubs(2);
    coir::event e;
    auto t = hubs.spawn([&] {
        coir::this_fiber::sleep_for(200ms);
        e.set();
    });
    EXPECT_EQ(text_of_deadlock([&] { e.wait(); }), "");
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    coir::event read;
    auto reader = hubs.spawn([&] {
        coir::wait_readable(fds[0]);
        read.set();
    });
    auto writer = coir::spawn([&] {
        coir::this_fiber::sleep_for(200ms);
        EXPECT_EQ(::write(fds[1], "x", 1), 1);
    });
    EXPECT_EQ(text_of_deadlock([&] { read.wait(); }), "");
    for (auto* task : {&t, &reader, &writer}) task->get();
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(deadlocked, a_ready_fiber_of_any_hub_is_none) {
    coir::hub_pool hubs(2);
    const coir::deadline end = coir::deadline::after(500ms);
    auto busy = hubs.spawn([&] {
        while (!end.expired()) coir::this_fiber::yield();
    });
    EXPECT_EQ(text_of_deadlock([&] { busy.join(); }), "");
}

TEST_F(deadlocked, between_jobs_of_a_pool_of_threads_and_a_hub_the_job_is_told) {
    coir::event never;
    std::atomic<bool> job_was_told{false};
    coir::thread_pool pool(1);
    auto job = pool.submit([&] {
        job_was_told = !text_of_deadlock([&] { never.wait(); }).empty();
        never.set();
    });
    EXPECT_EQ(text_of_deadlock([&] { job.get(); }), "") << "the job could end it";
    EXPECT_TRUE(job_was_told);
}

}  // namespace
