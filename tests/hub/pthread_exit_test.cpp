// A fiber ends its thread with pthread_exit: it is unwound, and what the main fiber waited for, if it was one thing,
// finds nobody there.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using pthread_exit_in_a_task = task_tests::clean_test;

/// What a thread allocates while it has one is not looked for.
struct lost_memory {
#if defined(__SANITIZE_ADDRESS__)
    lost_memory() { __lsan_disable(); }
    ~lost_memory() { __lsan_enable(); }
#else
    lost_memory() {}
    ~lost_memory() {}
#endif
};

/// A thread that one of its fibers ends.
template <class Body>
void run_thread(Body body) {
    const lost_memory its_state;
    std::thread([&] {
        const lost_memory what_frames_own;
        body();
        ADD_FAILURE() << "the thread has gone on";
    }).join();
}

/// Runs `main` on a thread of its own, of which a task ends it meanwhile; then one that spoils what `main` has left
/// on the stack. True if the task was unwound.
template <class Main>
bool ends_thread(Main main) {
    bool unwound = false;
    struct note {
        ~note() { *at = true; }
        bool* at;
    };
    run_thread([&] {
        coir::spawn([&] {
            const note when_unwound{&unwound};
            sleep_for(2ms);
            ::pthread_exit(nullptr);
        });
        main();
    });
    return unwound;
}

/// Is destroyed at the end of its thread, and needs as much stack as the main fiber had in use.
struct spoils_the_stack {
    ~spoils_the_stack() {
        volatile char room[64 * 1024];
        for (volatile char& c : room) c = 0x5a;
        sleep_for(5ms);
    }
};
thread_local spoils_the_stack spoiler;

TEST_F(pthread_exit_in_a_task, while_main_sleeps) {
    EXPECT_TRUE(ends_thread([] {
        (void)&spoiler;
        sleep_for(4ms);
    }));
}

TEST_F(pthread_exit_in_a_task, while_main_waits_with_a_limit) {
    coir::event never;
    EXPECT_TRUE(ends_thread([&] {
        (void)&spoiler;
        const coir::timeout limit(4ms);
        never.wait();
    }));
    never.set();
}

TEST_F(pthread_exit_in_a_task, while_main_waits_for_what_comes_later) {
    coir::event later;
    EXPECT_TRUE(ends_thread([&] {
        (void)&spoiler;
        later.wait();
    }));
    later.set();
}

TEST_F(pthread_exit_in_a_task, while_main_joins_a_task) {
    EXPECT_TRUE(ends_thread([] {
        (void)&spoiler;
        coir::spawn([] { sleep_for(4ms); }).join();
    }));
}

TEST_F(pthread_exit_in_a_task, while_main_is_ready_to_run) {
    EXPECT_TRUE(ends_thread([] {
        (void)&spoiler;
        for (;;) yield();
    }));
}

TEST_F(pthread_exit_in_a_task, while_main_polls_for_another_loop) {
    EXPECT_TRUE(ends_thread([] {
        (void)&spoiler;
        for (;;) coir::hub::current().poll();
    }));
}

/// Looks around when its thread ends.
struct describes {
    ~describes() {
        *text = coir::hub::current().describe_fibers();
        sleep_for(2ms);
    }
    std::string* text = nullptr;
};

TEST_F(pthread_exit_in_a_task, the_main_fiber_reads_as_running) {
    std::string text;
    EXPECT_TRUE(ends_thread([&] {
        static thread_local describes last;
        last.text = &text;
        sleep_for(1s);
    }));
    EXPECT_NE(text.find("\"main\" is running"), std::string::npos) << text;
}

TEST_F(pthread_exit_in_a_task, while_others_wait_for_that_fiber_to_switch_back) {
    run_thread([] {
        static thread_local coir::fiber inner;
        const coir::fiber outer([](coir::value) -> coir::value {
            inner = coir::fiber([](coir::value) -> coir::value {
                inner = {};
                ::pthread_exit(nullptr);
            });
            const coir::fiber& to = inner;
            to.switch_to();
            return {};
        });
        coir::hub::current();
        outer.switch_to();
    });
}

/// Stacks on which fibers were unwound are used again at once: by the fiber that unwinds the others, and by what they
/// spawn.
TEST_F(pthread_exit_in_a_task, while_another_waits_for_its_turn) {
    for (const bool has_slept : {false, true}) {
        const auto argument = std::make_shared<int>();
        run_thread([&] {
            auto exits = coir::spawn([&] {
                if (has_slept) sleep_for(1ms);
                ::pthread_exit(nullptr);
            });
            auto queued = coir::spawn([argument] { sleep_for(1h); });
            exits.join();
        });
        EXPECT_EQ(argument.use_count(), 1);
    }
}

struct spawns_at_the_end {
    ~spawns_at_the_end() {
        const coir::shield mask;
        *result = coir::spawn([] { return 7; }).get();
    }
    int* result;
};

TEST_F(pthread_exit_in_a_task, while_another_spawns_when_it_is_unwound) {
    int result = 0;
    run_thread([&] {
        auto exits = coir::spawn([] {
            sleep_for(1ms);
            ::pthread_exit(nullptr);
        });
        auto other = coir::spawn([&] {
            const spawns_at_the_end last{&result};
            sleep_for(1h);
        });
        exits.join();
    });
    EXPECT_EQ(result, 7);
}

/// Whose tasks can be cancelled, on whatever stacks they are.
struct cancels_at_the_end {
    ~cancels_at_the_end() {
        const coir::shield mask;
        coir::event never;
        std::vector<coir::task<void>> tasks;
        for (int i = 0; i < 5; ++i) {
            tasks.push_back(coir::spawn([&] {
                try {
                    never.wait();
                } catch (const coir::cancelled&) {
                    ++*cancelled;
                    throw;
                }
            }));
        }
        yield();
        for (auto& t : tasks) t.cancel();
        for (auto& t : tasks) t.join();
    }
    int* cancelled;
};

/// A cancellation that has not been thrown yet leaves nothing to who is on its stack next.
TEST_F(pthread_exit_in_a_task, that_has_been_cancelled_and_shields_itself) {
    int cancelled = 0;
    run_thread([&] {
        coir::event never;
        auto exits = coir::spawn([] {
            const coir::shield mask;
            yield();
            ::pthread_exit(nullptr);
        });
        auto other = coir::spawn([&] {
            const cancels_at_the_end last{&cancelled};
            never.wait();
        });
        yield();
        exits.cancel();
        exits.join();
    });
    EXPECT_EQ(cancelled, 5);
}

TEST_F(pthread_exit_in_a_task, or_in_a_fiber_while_another_is_suspended) {
    bool unwound = false;
    run_thread([&] {
        static thread_local coir::fiber suspended;
        suspended = coir::fiber([&](coir::value) -> coir::value {
            struct note {
                ~note() { *at = true; }
                bool* at;
            } const when_unwound{&unwound};
            coir::fiber::current().parent().switch_to();
            return {};
        });
        coir::hub::current();
        const coir::fiber& to = suspended;
        to.switch_to();
        coir::fiber([](coir::value) -> coir::value { ::pthread_exit(nullptr); }).switch_to();
    });
    EXPECT_TRUE(unwound);
}

/// It stands before the wake that has already taken the main fiber off its queue, and must run for it.
TEST_F(pthread_exit_in_a_task, a_posted_function_that_runs_then_may_not_suspend) {
    coir::event wake;
    std::optional<coir::hub> there;
    std::atomic<bool> is_ready{false}, all_is_sent{false};
    std::string thrown;
    std::thread sender([&] {
        while (!is_ready) ::sched_yield();
        there->post([&] { thrown = task_tests::thrown_by([] { sleep_for(1ms); }); });
        wake.set();
        all_is_sent = true;
    });
    run_thread([&] {
        there = coir::hub::current();
        coir::spawn([&] {
            is_ready = true;
            while (!all_is_sent) ::sched_yield();
            ::pthread_exit(nullptr);
        });
        wake.wait();
    });
    sender.join();
    EXPECT_EQ(thrown, "fiber_error");
}

TEST_F(pthread_exit_in_a_task, in_the_instant_in_which_main_is_woken) {
    for (int round = 0; round < 20; ++round) {
        coir::semaphore permits(0);
        std::thread waker([&] {
            for (int i = 0; i < 2000; ++i) permits.release();
        });
        EXPECT_TRUE(ends_thread([&] {
            (void)&spoiler;
            for (;;) permits.acquire();
        }));
        waker.join();
    }
}

}  // namespace
