// The guard below each stack, and what is said when a fiber runs into it.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <gtest/gtest.h>

#include <execinfo.h>
#include <signal.h>
#include <unwind.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

using coir::fiber;
using stack_overflow = fiber_tests::clean_test;
using backtraces = fiber_tests::clean_test;

__attribute__((noinline)) int frames_of_a_few_hundred_bytes(int depth) {
    volatile char room[200];
    room[0] = static_cast<char>(depth);
    return depth == 0 ? 0 : frames_of_a_few_hundred_bytes(depth - 1) + room[0];
}

TEST_F(stack_overflow, a_deep_stack_that_fits_is_fine) {
    fiber f({.stack_size = 1024 * 1024}, [] { return frames_of_a_few_hundred_bytes(500); });
    f.switch_to();
    EXPECT_TRUE(f.dead());
}

TEST_F(stack_overflow, every_byte_of_a_stack_is_usable_and_the_neighbours_are_untouched) {
    const fiber main = fiber::current();
    auto body = [&] {
        const auto& stack = *coir::detail::current_fiber().stack;
        std::memset(stack.low, 0x5a, 8192);
        main.switch_to();
        return stack.low[0] == 0x5a && stack.low[8191] == 0x5a;
    };
    fiber a(body), b(body), c(body);
    for (const fiber& f : {a, b, c}) f.switch_to();
    for (const fiber& f : {b, a, c}) EXPECT_TRUE(f.switch_to().as<bool>());
}

#if !defined(COIR_ASAN) && !defined(COIR_TSAN)

/// Writes only at the far end, so that without probes it would step over the guard page.
__attribute__((noinline)) int one_frame_of_40_kb() {
    volatile char room[40 * 1024];
    room[0] = 1;
    return room[0];
}

void overflow(const char* name, std::size_t size) {
    fiber({.name = name, .stack_size = size}, [] { return frames_of_a_few_hundred_bytes(100'000); }).switch_to();
}

TEST_F(stack_overflow, is_reported_with_name_size_and_backtrace) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(overflow("parser", 64 * 1024), testing::KilledBySignal(SIGSEGV),
                "fiber \"parser\" overflowed its 64 KiB stack(.|\n)*stack_overflow_test");
}

TEST_F(stack_overflow, is_reported_on_any_thread) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(std::thread([] { overflow("elsewhere", 128 * 1024); }).join(), testing::KilledBySignal(SIGSEGV),
                "fiber \"elsewhere\" overflowed its 128 KiB stack");
}

TEST_F(stack_overflow, is_reported_for_a_fiber_without_a_name) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(overflow("", 64 * 1024), testing::KilledBySignal(SIGSEGV), "fiber \"fiber-[0-9.]+\" overflowed");
}

TEST_F(stack_overflow, by_one_large_frame_is_caught_too) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const fiber f({.name = "large", .stack_size = 32 * 1024}, [] { return one_frame_of_40_kb(); });
    EXPECT_EXIT(f.switch_to(), testing::KilledBySignal(SIGSEGV), "fiber \"large\" overflowed its 32 KiB stack");
}

/// A handler that was there before coir's.
void install_a_handler() {
    struct sigaction action {};
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        static const char text[] = "the former handler\n";
        (void)!::write(2, text, sizeof text - 1);
        std::_Exit(info->si_addr == nullptr ? 7 : 8);
    };
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
}

volatile int* const nowhere = nullptr;

void fault_in_a_fiber_behind_a_handler() {
    install_a_handler();
    // A process of its own in which coir has not run yet.
    fiber([] { *nowhere = 1; }).switch_to();
}

TEST(former_handler, gets_a_plain_null_dereference) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(fault_in_a_fiber_behind_a_handler(), testing::ExitedWithCode(7), "^the former handler\n$");
}

void overflow_behind_a_handler() {
    install_a_handler();
    overflow("parser", 64 * 1024);
}

TEST(former_handler, gets_an_overflow_after_the_report) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(overflow_behind_a_handler(), testing::ExitedWithCode(8),
                "fiber \"parser\" overflowed(.|\n)*the former handler");
}

TEST(former_handler, a_null_dereference_without_one_says_nothing_of_stacks) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(fiber([] { *nowhere = 1; }).switch_to(), testing::KilledBySignal(SIGSEGV), "^$");
}

#endif

TEST_F(backtraces, end_inside_a_fiber) {
    void* frames[64];
    EXPECT_GT(::backtrace(frames, 64), 1);
    int inside = 0;
    fiber([&] { inside = ::backtrace(frames, 64); }).switch_to();
    EXPECT_GT(inside, 1);
    EXPECT_LT(inside, 64) << "an endless loop";
}

TEST_F(backtraces, the_unwinder_ends_inside_a_fiber) {
    int frames = 0;
    fiber([&] {
        const auto code = _Unwind_Backtrace(
            [](_Unwind_Context*, void* count) {
                return ++*static_cast<int*>(count) < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
            },
            &frames);
        EXPECT_EQ(code, _URC_END_OF_STACK);
    }).switch_to();
    EXPECT_GT(frames, 1);
    EXPECT_LT(frames, 64);
}

}  // namespace
