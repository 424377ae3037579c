// Row C1: a time limit, or a cancellation, and the completion at the same tick. Exactly one of them is the outcome, and
// nothing is lost.
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "task/leftovers.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::testing::random_schedule;
using coir::testing::run_until_parked;
using coir::testing::virtual_clock;

/// Counts what is alive of it.
struct resource {
    resource() { ++alive; }
    resource(resource&&) noexcept { ++alive; }
    resource(const resource&) = delete;
    ~resource() { --alive; }
    static inline int alive = 0;
};

struct tally {
    int completed = 0;
    int timed_out = 0;
    int left = 0;  // what was not taken
};

/// Lets the time come: the completion that follows is before the timers of this tick, or after them.
class moment {
public:
    moment(virtual_clock& clock, std::uint64_t number) : clock_(clock), yields_(number % 4) {}
    void comes() const {
        run_until_parked();
        clock_.advance(1s);
        task_tests::yield_times(static_cast<int>(yields_));
    }

private:
    virtual_clock& clock_;
    const std::uint64_t yields_;
};

tally race_of_channel(const moment& m) {
    tally seen;
    coir::channel<resource> items(1);
    auto sender = coir::spawn([&] {
        m.comes();
        items.send(resource());
    });
    auto receiver = coir::spawn([&] {
        try {
            const coir::timeout limit(1s);
            if (auto item = items.recv()) ++seen.completed;
        } catch (const coir::timed_out&) {
            ++seen.timed_out;
        }
    });
    coir::gather(sender, receiver);
    while (items.try_recv()) ++seen.left;
    return seen;
}

tally race_of_future(const moment& m) {
    tally seen;
    coir::promise<std::unique_ptr<resource>> p;
    auto f = p.get_future();
    auto setter = coir::spawn([&] {
        m.comes();
        p.set_value(std::make_unique<resource>());
    });
    auto waiter = coir::spawn([&] {
        try {
            const coir::timeout limit(1s);
            EXPECT_NE(f.get(), nullptr);
            ++seen.completed;
        } catch (const coir::timed_out&) {
            ++seen.timed_out;
        }
    });
    coir::gather(setter, waiter);
    if (f.valid()) {
        EXPECT_NE(f.get(), nullptr) << "the value is not lost";
        ++seen.left;
    }
    return seen;
}

tally race_of_operation_limit(const moment& m) {
    tally seen;
    coir::semaphore permits(0);
    auto releaser = coir::spawn([&] {
        m.comes();
        permits.release();
    });
    auto acquirer = coir::spawn([&] { permits.try_acquire_for(1s) ? ++seen.completed : ++seen.timed_out; });
    coir::gather(releaser, acquirer);
    while (permits.try_acquire()) ++seen.left;
    return seen;
}

tally race_of_cancel(const moment& m) {
    tally seen;
    coir::channel<resource> items;
    auto receiver = coir::spawn([&] {
        try {
            if (auto item = items.recv()) ++seen.completed;
        } catch (const coir::cancelled&) {
            ++seen.timed_out;
        }
    });
    auto sender = coir::spawn([&] {
        m.comes();
        if (!items.send_for(resource(), 0s)) ++seen.left;
    });
    auto canceller = coir::spawn([&] {
        coir::this_fiber::sleep_for(1s);
        receiver.cancel();
    });
    coir::gather(receiver, sender, canceller);
    return seen;
}

/// In 10,000 orders; both outcomes come up.
void race(tally (*one)(const moment&)) {
    virtual_clock clock(virtual_clock::jumps::never);
    tally all;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    constexpr std::uint64_t orders = 1'000;
#else
    constexpr std::uint64_t orders = 10'000;
#endif
    for (std::uint64_t seed = 1; seed <= orders; ++seed) {
        const random_schedule chance(seed);
        const tally seen = one({clock, seed});
        ASSERT_EQ(seen.completed + seen.timed_out, 1) << seed;
        ASSERT_EQ(seen.completed + seen.left, 1) << seed;
        ASSERT_EQ(resource::alive, 0) << seed;
        all.completed += seen.completed;
        all.timed_out += seen.timed_out;
    }
    EXPECT_GT(all.completed, 0);
    EXPECT_GT(all.timed_out, 0);
}

class same_tick : public task_tests::clean_test {};

TEST_F(same_tick, c1_a_channel_and_a_time_limit) { race(race_of_channel); }
TEST_F(same_tick, c1_a_future_and_a_time_limit) { race(race_of_future); }
TEST_F(same_tick, c1_a_semaphore_and_a_limit_of_the_operation) { race(race_of_operation_limit); }
TEST_F(same_tick, c1_a_channel_and_a_cancellation) { race(race_of_cancel); }

COIR_TEST(same_tick_in_any_order, c1_what_the_seed_of_the_test_decides) {
    virtual_clock clock(virtual_clock::jumps::never);
    for (const auto& one : {race_of_channel, race_of_future, race_of_operation_limit, race_of_cancel}) {
        for (std::uint64_t number = 0; number < 4; ++number) {
            const tally seen = one({clock, number});
            EXPECT_EQ(seen.completed + seen.timed_out, 1);
            EXPECT_EQ(seen.completed + seen.left, 1);
            EXPECT_EQ(resource::alive, 0);
        }
    }
}

COIR_TEST(same_tick_in_any_order, c1_two_who_wait_for_one_item) {
    const virtual_clock clock;
    coir::channel<int> items(4);
    int received = 0, timed_out = 0;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(coir::spawn([&] { items.recv_for(1s) ? ++received : ++timed_out; }));
    for (int i = 0; i < 3; ++i) {
        tasks.push_back(coir::spawn([&, i] {
            coir::this_fiber::sleep_for(1s);
            items.send(i);
        }));
    }
    for (auto& t : tasks) t.get();
    EXPECT_EQ(received + timed_out, 5);
    EXPECT_EQ(received + static_cast<int>(items.size()), 3);
}

COIR_TEST(same_tick_in_any_order, c1_a_limit_that_is_over_while_nobody_waits_interrupts_nothing) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::channel<int> items(1);
    items.send(5);
    const coir::timeout limit(1s);
    clock.advance(2s);
    EXPECT_EQ(items.recv(), 5) << "no suspension, no throw";
    EXPECT_EQ(task_tests::thrown_by([] { coir::this_fiber::sleep_for(1h); }), "timed_out");
}

}  // namespace
