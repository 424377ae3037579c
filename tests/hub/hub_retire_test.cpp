// What the end of a hub destroys may spawn, post and set: that ends with its thread.
#include <coir/hub.hpp>
#include <coir/task.hpp>

#include "fiber/thread_state.hpp"
#include "hub/counts_end.hpp"
#include "task/leftovers.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace {

using hub_retire = task_tests::clean_test;
using hub_tests::counts_end;

struct spawns_when_dropped {
    spawns_when_dropped() = default;
    explicit spawns_when_dropped(std::atomic<int>& n) : ended(&n) {}
    spawns_when_dropped(spawns_when_dropped&& other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
    ~spawns_when_dropped() {
        if (ended) coir::spawn([at_end = counts_end(*ended)] { ADD_FAILURE(); });
    }
    std::atomic<int>* ended = nullptr;
};

/// Runs when the fibers of its thread have been unwound: made before the hub, it is destroyed after it has ended them.
struct last_of_all {
    ~last_of_all() {
        if (act) act();
    }
    std::function<void()> act;
};
thread_local last_of_all last;

/// Runs `body` on a thread of its own; the next one has its state, and must find nothing there.
void run_thread_that_leaves_nothing(const std::function<void()>& body) {
    const coir::detail::thread_state* state = nullptr;
    std::thread([&] {
        body();
        state = &coir::detail::this_thread();
    }).join();
    std::thread([&] {
        coir::hub::current();
        EXPECT_EQ(&coir::detail::this_thread(), state);
        EXPECT_TRUE(coir::detail::this_thread().fibers.empty());
        EXPECT_EQ(coir::spawn([] { return 1; }).get(), 1);
    }).join();
}

TEST_F(hub_retire, a_task_that_is_spawned_when_what_was_posted_is_dropped_ends_with_its_thread) {
    std::atomic<int> ended{0};
    std::optional<coir::hub> hub;
    testing::internal::CaptureStderr();
    run_thread_that_leaves_nothing([&] {
        last.act = [&] { hub->post([dropped = spawns_when_dropped(ended)] {}); };
        hub = coir::hub::current();
    });
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(ended, 1);
    EXPECT_FALSE(hub->post([] { ADD_FAILURE(); }));
}

coir::fiber_local<spawns_when_dropped> spawns_late;

TEST_F(hub_retire, and_one_that_a_late_fiber_local_spawns) {
    std::atomic<int> ended{0};
    testing::internal::CaptureStderr();
    run_thread_that_leaves_nothing([&] {
        last.act = [&] { spawns_late->ended = &ended; };
        coir::hub::current();
    });
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(ended, 1);
}

TEST_F(hub_retire, and_one_that_the_handler_of_errors_spawns) {
    std::atomic<int> ended{0};
    run_thread_that_leaves_nothing([&] {
        const auto dropped = std::make_shared<spawns_when_dropped>(ended);
        coir::hub::current().on_unhandled([dropped](std::string_view, std::exception_ptr) {});
    });
    EXPECT_EQ(ended, 1);
}

struct posts_when_dropped {
    posts_when_dropped(coir::hub h, std::atomic<int>& n) : hub(h), ended(&n) {}
    posts_when_dropped(posts_when_dropped&& other) noexcept
        : hub(std::exchange(other.hub, std::nullopt)), ended(other.ended) {}
    ~posts_when_dropped() {
        if (hub) hub->post([at_end = counts_end(*ended)] { ADD_FAILURE() << "thread_locals have gone"; });
    }
    std::optional<coir::hub> hub;
    std::atomic<int>* ended;
};

struct spawns_what_posts {
    spawns_what_posts(coir::hub h, std::atomic<int>& n) : hub(h), ended(&n) {}
    spawns_what_posts(spawns_what_posts&& other) noexcept
        : hub(std::exchange(other.hub, std::nullopt)), ended(other.ended) {}
    ~spawns_what_posts() {
        if (hub) coir::spawn([dropped = posts_when_dropped(*hub, *ended)] { ADD_FAILURE(); });
    }
    std::optional<coir::hub> hub;
    std::atomic<int>* ended;
};

TEST_F(hub_retire, what_such_a_task_posts_is_dropped_too) {
    std::atomic<int> ended{0};
    std::optional<coir::hub> hub;
    run_thread_that_leaves_nothing([&] {
        last.act = [&] { hub->post([dropped = spawns_what_posts(*hub, ended)] {}); };
        hub = coir::hub::current();
    });
    EXPECT_EQ(ended, 1);
    EXPECT_FALSE(hub->post([] { ADD_FAILURE(); }));
}

struct sets_when_dropped {
    explicit sets_when_dropped(coir::fiber_local<int>& l) : local(&l) {}
    sets_when_dropped(sets_when_dropped&& other) noexcept : local(std::exchange(other.local, nullptr)) {}
    ~sets_when_dropped() {
        if (local) **local = 4711;
    }
    coir::fiber_local<int>* local;
};

coir::fiber_local<int> set_late;

TEST_F(hub_retire, what_is_dropped_at_its_end_leaves_no_fiber_locals_to_the_next_thread) {
    std::optional<coir::hub> hub;
    std::thread([&] {
        last.act = [&] { hub->post([dropped = sets_when_dropped(set_late)] {}); };
        hub = coir::hub::current();
        *set_late = 1;
    }).join();
    for (int i = 0; i < 3; ++i) {
        std::thread([] {
            coir::hub::current();
            EXPECT_EQ(*set_late, 0);
            EXPECT_EQ(coir::spawn([] { return *set_late; }).get(), 0);
        }).join();
    }
}

/// What they are told was taken is run or dropped.
TEST_F(hub_retire, others_may_post_until_they_are_refused) {
    const auto held = std::make_shared<int>();
    for (int round = 0; round < 50; ++round) {
        std::optional<coir::hub> hub;
        std::atomic<bool> is_there{false};
        std::thread others([&] {
            is_there.wait(false);
            while (hub->post([held] {})) {
            }
        });
        std::thread([&] {
            hub = coir::hub::current();
            is_there = true;
            is_there.notify_one();
        }).join();
        others.join();
        EXPECT_EQ(held.use_count(), 1);
    }
}

struct spawns_one_that_may_run {
    explicit spawns_one_that_may_run(std::atomic<int>& n) : ended(&n) {}
    spawns_one_that_may_run(spawns_one_that_may_run&& other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
    ~spawns_one_that_may_run() {
        if (ended) coir::spawn([at_end = counts_end(*ended)] {});
    }
    std::atomic<int>* ended;
};

/// The one that was refused spawns on the thread that posts.
TEST_F(hub_retire, and_each_that_is_dropped_then_may_spawn) {
    for (int round = 0; round < 5; ++round) {
        std::optional<coir::hub> hub;
        std::atomic<bool> is_there{false};
        std::atomic<int> ended{0};
        int posted = 0;
        std::thread others([&] {
            is_there.wait(false);
            while (hub->post([dropped = spawns_one_that_may_run(ended)] {})) {
                for (++posted; posted - ended > 10;) std::this_thread::yield();
            }
        });
        std::thread([&] {
            last.act = [&] {
                is_there = true;
                is_there.notify_one();
            };
            hub = coir::hub::current();
        }).join();
        others.join();
        EXPECT_EQ(ended, posted + 1);
    }
}

}  // namespace
