#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

COIR_TEST(barrier, nobody_goes_on_before_all_have_arrived_in_phase_after_phase) {
    constexpr int phases = 5, count = 6;
    coir::barrier b(count);
    std::vector<int> arrived(phases);
    tasks all;
    for (int i = 0; i < count; ++i) {
        all.push_back(coir::spawn([&] {
            for (std::size_t phase = 0; phase < phases; ++phase) {
                ++arrived[phase];
                b.arrive_and_wait();
                EXPECT_EQ(arrived[phase], count);
            }
        }));
    }
    get_all(all);
}

COIR_TEST(barrier, the_function_runs_once_a_phase_before_anybody_goes_on) {
    int completed = 0, went_on = 0;
    coir::barrier b(3, [&] {
        EXPECT_EQ(went_on, completed * 3);
        ++completed;
    });
    tasks all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(coir::spawn([&] {
            for (int phase = 1; phase <= 4; ++phase) {
                b.arrive_and_wait();
                EXPECT_GE(completed, phase);
                ++went_on;
                auto token = b.arrive();
                b.wait(token);
                ++went_on;
            }
        }));
    }
    // Everybody counts itself before it arrives again, so that the function sees multiples of three.
    get_all(all);
    EXPECT_EQ(completed, 8);
    EXPECT_EQ(went_on, 24);
}

COIR_TEST(barrier, what_the_function_throws_is_thrown_by_the_last_and_the_phase_is_complete) {
    int calls = 0;
    coir::barrier b(3, [&] {
        if (++calls == 1) throw std::runtime_error("broken");
    });
    tasks all = line_up(2, [&](int) { b.arrive_and_wait(); });
    EXPECT_EQ(thrown_by([&] { b.arrive_and_wait(); }), "broken");
    get_all(all);
    all = line_up(2, [&](int) { b.arrive_and_wait(); });
    b.arrive_and_wait();
    get_all(all);
    EXPECT_EQ(calls, 2);
}

COIR_TEST(barrier, arrive_does_not_wait_and_its_token_may_be_waited_for_late) {
    coir::barrier b(2);
    const auto early = b.arrive();
    EXPECT_FALSE(b.wait_for(early, 0s));
    (void)b.arrive();
    b.wait(early);
    (void)b.arrive(2);
    (void)b.arrive(2);
    b.wait(early);
    EXPECT_TRUE(b.wait_for(early, 0s)) << "a phase of long ago";
}

COIR_TEST(barrier, who_drops_out_is_no_longer_expected) {
    coir::barrier b(3);
    tasks all = line_up(2, [&](int) {
        b.arrive_and_wait();
        b.arrive_and_wait();
    });
    b.arrive_and_drop();
    get_all(all);  // the second phase has two
    b.arrive_and_drop();
    b.arrive_and_drop();
    EXPECT_EQ(thrown_by([&] { (void)b.arrive(); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { b.arrive_and_drop(); }), "fiber_error");
}

COIR_TEST(barrier, more_than_are_expected_is_told_and_changes_nothing) {
    EXPECT_EQ(thrown_by([] { coir::barrier b(0); }), "fiber_error");
    coir::barrier b(3);
    tasks all = line_up(1, [&](int) { b.arrive_and_wait(); });
    EXPECT_EQ(text_of<coir::fiber_error>([&] { (void)b.arrive(3); }), "3 arrive at a barrier that expects 2 more");
    run_until_parked();
    EXPECT_EQ(count_done(all), 0u);
    (void)b.arrive(0);
    run_until_parked();
    EXPECT_EQ(count_done(all), 0u);
    (void)b.arrive(2);
    get_all(all);
}

COIR_TEST(barrier, nobody_can_arrive_while_the_function_runs) {
    coir::barrier* self = nullptr;
    std::string thrown;
    int calls = 0;
    coir::barrier b(1, [&] {
        if (++calls == 1)
            thrown = thrown_by([&] { (void)self->arrive(); }) + thrown_by([&] { self->arrive_and_drop(); });
    });
    self = &b;
    b.arrive_and_wait();
    EXPECT_EQ(thrown, "fiber_errorfiber_error");
    b.arrive_and_wait();
    EXPECT_EQ(calls, 2);
}

/// It is no arrival, so it cannot complete the phase that is being completed.
COIR_TEST(barrier, none_arriving_while_the_function_runs_is_nothing) {
    coir::barrier* self = nullptr;
    int calls = 0;
    coir::barrier b(1, [&] {
        if (++calls < 10) (void)self->arrive(0);
    });
    self = &b;
    b.arrive_and_wait();
    EXPECT_EQ(calls, 1);
}

COIR_TEST(barrier, an_arrival_that_is_cancelled_or_times_out_still_counts) {
    const virtual_clock clock;
    coir::barrier b(3);
    auto cancelled = coir::spawn([&] { b.arrive_and_wait(); });
    auto limited = coir::spawn([&] { return b.wait_for(b.arrive(), 3ms); });
    until_parked(cancelled);
    until_parked(limited);
    cancelled.cancel();
    cancelled.join();
    EXPECT_FALSE(limited.get());
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_TRUE(cancelled.was_cancelled());
    b.arrive_and_wait();  // the third: does not wait
}

COIR_TEST(barrier, completed_in_the_round_of_a_limit_or_a_cancellation_it_passes) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::barrier b(3);
    bool passed = false;
    auto limited = coir::spawn([&] { return b.wait_for(b.arrive(), 1ms); });
    auto cancelled = coir::spawn([&] {
        b.arrive_and_wait();
        passed = true;
    });
    until_parked(limited);
    until_parked(cancelled);
    clock.advance(1ms);
    (void)b.arrive();
    cancelled.cancel();
    EXPECT_TRUE(limited.get());
    cancelled.join();
    EXPECT_TRUE(passed);
}

}  // namespace
