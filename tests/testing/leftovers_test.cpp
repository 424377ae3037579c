#include <coir/exec.hpp>
#include <coir/fiber.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "task/leftovers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace {

using namespace std::chrono_literals;
using coir::testing::leftovers;

class left_over : public task_tests::clean_test {};

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

TEST_F(left_over, nothing_is_nothing) {
    const leftovers before;
    EXPECT_EQ(before.describe(), "");
    coir::spawn([] { coir::this_fiber::sleep_for(1ms); }).join();
    EXPECT_EQ(before.describe(), "");
}

TEST_F(left_over, a_parked_fiber_with_its_timer_and_stack) {
    const leftovers before;
    auto t = coir::spawn({.name = "late"}, [] { coir::this_fiber::sleep_for(1h); });
    task_tests::until_parked(t);
    const std::string text = before.describe();
    EXPECT_TRUE(has(text, "fibers are left over:\n")) << text;
    EXPECT_TRUE(has(text, "\"late\" waits for")) << text;
    EXPECT_TRUE(has(text, "1 stacks are left over\n")) << text;
    EXPECT_TRUE(has(text, "1 timers are left over\n")) << text;
    t.cancel();
    t.join();
    EXPECT_EQ(before.describe(), "");
}

TEST_F(left_over, a_task_that_has_not_started) {
    const leftovers before;
    auto t = coir::spawn({.name = "unborn"}, [] {});
    EXPECT_TRUE(has(before.describe(), "\"unborn\" has not started"));
    t.join();
    EXPECT_EQ(before.describe(), "");
}

TEST_F(left_over, a_suspended_fiber) {
    const leftovers before;
    coir::fiber f([back = coir::fiber::current()]() mutable { back.switch_to(); });
    f.switch_to();
    EXPECT_TRUE(has(before.describe(), "1 stacks are left over\n"));
    f = {};
    EXPECT_EQ(before.describe(), "");
}

TEST_F(left_over, a_time_limit) {
    const leftovers before;
    auto limit = std::make_optional<coir::timeout>(1h);
    EXPECT_EQ(before.describe(), "1 timers are left over\n");
    limit.reset();
    EXPECT_EQ(before.describe(), "");
}

TEST_F(left_over, descriptors_by_number_and_kind) {
    const leftovers before;
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const int null = ::open("/dev/null", O_RDONLY);
    const std::string text = before.describe();
    EXPECT_TRUE(has(text, "descriptor " + std::to_string(fds[0]) + " is left over: pipe:")) << text;
    EXPECT_TRUE(has(text, "descriptor " + std::to_string(fds[1]) + " is left over: pipe:")) << text;
    EXPECT_TRUE(has(text, "descriptor " + std::to_string(null) + " is left over: /dev/null\n")) << text;
    for (const int fd : {fds[0], fds[1], null}) ::close(fd);
    EXPECT_EQ(before.describe(), "");
}

TEST_F(left_over, a_number_that_is_another_descriptor_now) {
    const int first = ::open("/dev/null", O_RDONLY);
    const leftovers before;
    ::close(first);
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    ASSERT_TRUE(fds[0] == first || fds[1] == first);
    const std::string text = before.describe();
    EXPECT_TRUE(has(text, "descriptor " + std::to_string(fds[0]) + " is left over: pipe:")) << text;
    EXPECT_TRUE(has(text, "descriptor " + std::to_string(fds[1]) + " is left over: pipe:")) << text;
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(left_over, what_was_there_before_is_none) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const coir::timeout limit(1h);
    const leftovers before;
    EXPECT_EQ(before.describe(), "");
    ::close(fds[0]);
    ::close(fds[1]);
    EXPECT_EQ(before.describe(), "") << "less is not more";
}

TEST_F(left_over, a_wait_for_a_descriptor) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const leftovers before;
    auto t = coir::spawn([&] { coir::wait_readable(fds[0]); });
    task_tests::until_parked(t);
    EXPECT_TRUE(has(before.describe(), "1 waits for descriptors are left over\n"));
    t.cancel();
    t.join();
    EXPECT_EQ(before.describe(), "");
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(left_over, helpers_have_a_second_to_finish) {
    const leftovers before;
    coir::thread_pool pool(1);
    int fd = -1;
    auto job = pool.submit([&] {
        const int opened = ::open("/dev/null", O_RDONLY);
        const auto end = std::chrono::steady_clock::now() + 50ms;
        while (std::chrono::steady_clock::now() < end) ::sched_yield();
        ::close(opened);
        fd = opened;
    });
    EXPECT_EQ(before.describe(), "");
    EXPECT_TRUE(job.ready());
    EXPECT_NE(fd, -1);
}

TEST_F(left_over, from_a_fiber_it_is_itself_one) {
    const leftovers before;
    coir::spawn({.name = "asker"}, [&] { EXPECT_TRUE(has(before.describe(), "\"asker\"")); }).join();
}

}  // namespace
