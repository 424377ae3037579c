// The sanitizers must see through fibers: each of these commits a crime that has to be reported.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"
#include "fiber/sanitizer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

namespace {

using coir::fiber;

class canary : public fiber_tests::clean_test {
protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

#if defined(COIR_ASAN)

/// A pointer whose bounds the compiler, and its other checks, cannot know.
volatile char* unknown(volatile char* p) {
    asm volatile("" : "+r"(p));
    return p;
}

__attribute__((noinline)) void write_behind_a_local_array(const fiber& between) {
    volatile char room[16] = {};
    between.switch_to();
    unknown(room)[16] = 1;
}

void write_behind_an_array() {
    const fiber main = fiber::current();
    fiber f([&] { write_behind_a_local_array(main); });
    f.switch_to();
    f.switch_to();
}

TEST_F(canary, an_overflow_of_a_local_array_is_seen) { EXPECT_DEATH(write_behind_an_array(), "stack-buffer-overflow"); }

void write_behind_an_array_after_switches_and_errors() {
    const fiber main = fiber::current();
    fiber f([&] {
        try {
            main.switch_to();
            throw 1;
        } catch (int) {
            main.switch_to();
        }
        write_behind_a_local_array(main);
    });
    for (int i = 0; i < 4; ++i) f.switch_to();
}

TEST_F(canary, an_overflow_after_switches_and_errors_is_seen) {
    EXPECT_DEATH(write_behind_an_array_after_switches_and_errors(), "stack-buffer-overflow");
}

void read_a_dead_fibers_stack() {
    volatile char* room = nullptr;
    fiber([&] { room = static_cast<volatile char*>(__builtin_frame_address(0)) - 64; }).switch_to();
    std::_Exit(*room);
}

TEST_F(canary, a_use_of_a_dead_fibers_stack_is_seen) {
    EXPECT_DEATH(read_a_dead_fibers_stack(), "use-after-poison|stack-use-after-return");
}

void leak_in_a_fiber() {
    fiber([] {
        auto* lost = new int[100];
        lost[0] = 1;
        asm volatile("" : : "r"(lost) : "memory");
    }).switch_to();
    std::exit(0);
}

TEST_F(canary, a_leak_is_seen) {
    EXPECT_EXIT(
        leak_in_a_fiber(), [](int status) { return status != 0; }, "LeakSanitizer: detected memory leaks");
}

TEST_F(canary, honest_work_is_not_reported) {
    const fiber main = fiber::current();
    for (int i = 0; i < 100; ++i) {
        fiber f([&] {
            const auto deep = [&](auto& self, int depth) -> void {
                volatile char room[100] = {};
                unknown(room)[depth] = 1;
                if (depth == 0) main.switch_to(), throw 1;
                self(self, depth - 1);
            };
            try {
                deep(deep, 50);
            } catch (int) {
                const auto large = std::make_unique<char[]>(1000);
                main.switch_to(large[0]);
            }
            volatile char wide[20'000] = {};
            unknown(wide)[19'999] = 1;
        });
        for (int step = 0; step < 3; ++step) f.switch_to();
        EXPECT_TRUE(f.dead());
    }
}

#elif defined(COIR_TSAN)

/// Two threads write without a lock, each in a fiber, at the same time: nothing orders them. Again and again: two writes
/// in the very same moment do not see each other.
void race_between_fibers() {
    int shared = 0;
    std::atomic<int> ready{0};
    auto body = [&] {
        fiber([&] {
            ready.fetch_add(1, std::memory_order_relaxed);
            while (ready.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
            for (int i = 0; i < 100; ++i, std::this_thread::yield()) ++shared;
        }).switch_to();
    };
    std::thread a(body), b(body);
    a.join();
    b.join();
    std::exit(0);
}

TEST_F(canary, a_race_between_two_threads_fibers_is_seen) {
    EXPECT_EXIT(
        race_between_fibers(), [](int status) { return status != 0; }, "ThreadSanitizer: data race");
}

TEST_F(canary, fibers_of_one_thread_do_not_race) {
    const fiber main = fiber::current();
    int shared = 0;
    auto body = [&] {
        for (int i = 0; i < 100; ++i) {
            ++shared;
            main.switch_to();
        }
    };
    fiber a(body), b(body);
    for (int i = 0; i < 100; ++i) a.switch_to(), b.switch_to(), ++shared;
    EXPECT_EQ(shared, 300);
    a.switch_to();
    b.switch_to();
}

#endif

}  // namespace
