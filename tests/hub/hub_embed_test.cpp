// Another event loop, here the test's poll(2), embeds the hub.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <poll.h>

#include <thread>

namespace {

using namespace std::chrono_literals;
using coir::hub;

class hub_embed : public testing::Test {
protected:
    hub_embed() {
        (void)hub::current().fd();
        hub::current().poll();  // makes the alarm's descriptor before the count of leftovers
        none_.emplace();
    }

    /// Whether the embedding loop would be woken.
    static bool readable(int ms) {
        pollfd p{hub::current().fd(), POLLIN, 0};
        return ::poll(&p, 1, ms) == 1;
    }
    /// Like readable, but for a descriptor that was asked for once.
    static bool still_readable(int fd, int ms) {
        pollfd p{fd, POLLIN, 0};
        return ::poll(&p, 1, ms) == 1;
    }
    static void settle(int fd) {
        while (still_readable(fd, 0)) hub::current().poll();
    }

    std::optional<task_tests::leftovers> none_;
};

TEST_F(hub_embed, poll_runs_what_is_ready_and_does_not_wait) {
    int steps = 0;
    auto t = coir::spawn([&] {
        ++steps;
        coir::this_fiber::sleep_for(1h);
    });
    hub::current().poll();
    EXPECT_EQ(steps, 1);
    hub::current().poll();
    t.cancel();
    hub::current().poll();
    EXPECT_TRUE(t.done());
}

TEST_F(hub_embed, a_timer_makes_the_descriptor_readable_and_not_early) {
    const int fd = hub::current().fd();
    const auto begin = std::chrono::steady_clock::now();
    auto t = coir::spawn([&] { coir::this_fiber::sleep_for(5ms); });
    hub::current().poll();
    settle(fd);
    while (!t.done()) {
        ASSERT_TRUE(still_readable(fd, 5'000));
        hub::current().poll();
    }
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
}

TEST_F(hub_embed, a_post_from_another_thread_makes_the_descriptor_readable) {
    const int fd = hub::current().fd();
    hub::current().poll();
    settle(fd);
    int ran = 0;
    hub copy = hub::current();
    std::thread([&] { copy.post([&] { ++ran; }); }).join();
    EXPECT_TRUE(still_readable(fd, 1'000));
    hub::current().poll();
    EXPECT_EQ(ran, 1);
}

TEST_F(hub_embed, what_main_makes_ready_between_two_polls_makes_the_descriptor_readable) {
    const int fd = hub::current().fd();
    settle(fd);
    auto t = coir::spawn([] {});
    EXPECT_TRUE(still_readable(fd, 100));
    hub::current().poll();
    EXPECT_TRUE(t.done());
}

TEST_F(hub_embed, asking_for_the_descriptor_again_takes_new_work_into_account) {
    auto t = coir::spawn([] {});
    EXPECT_TRUE(readable(100));
    hub::current().poll();
    EXPECT_TRUE(t.done());
}

TEST_F(hub_embed, poll_is_for_the_main_fiber) {
    EXPECT_EQ(task_tests::thrown_by([] { coir::spawn([] { hub::current().poll(); }).get(); }), "fiber_error");
}

TEST_F(hub_embed, fibers_that_never_go_idle_do_not_keep_poll) {
    bool stop = false;
    auto t = coir::spawn([&] {
        while (!stop) coir::this_fiber::yield();
    });
    for (int i = 0; i < 10; ++i) hub::current().poll();
    stop = true;
    t.join();
}

}  // namespace
