#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <array>
#include <optional>

namespace {

using namespace std::chrono_literals;
using timeout = task_tests::clean_test;
using coir::this_fiber::sleep_for;
using task_tests::thrown_by;

TEST_F(timeout, throws_inside_its_scope_and_never_early) {
    const auto begin = std::chrono::steady_clock::now();
    coir::timeout limit(3ms);
    try {
        sleep_for(1h);
        FAIL();
    } catch (const coir::timed_out& e) {
        EXPECT_TRUE(limit.owns(e));
        EXPECT_TRUE(limit.expired());
    }
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    coir::this_fiber::yield();  // it throws once
}

TEST_F(timeout, does_nothing_after_its_scope) {
    { coir::timeout limit(1ms); }
    sleep_for(3ms);
}

TEST_F(timeout, that_is_over_while_nothing_suspends_interrupts_nothing) {
    coir::timeout limit(0ms);
    coir::mutex m;
    m.lock();
    m.unlock();
    SUCCEED();
}

TEST_F(timeout, zero_and_negative_have_expired) {
    for (const auto span : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
        EXPECT_EQ(thrown_by([&] { coir::wait_for(span, [] { sleep_for(1h); }); }), "timed_out");
    }
}

TEST_F(timeout, for_ever_never_expires) {
    coir::timeout a(coir::time_span::forever());
    coir::timeout b(std::chrono::hours::max());
    coir::timeout c(std::chrono::nanoseconds::max() - 1ns);
    sleep_for(1ms);
    EXPECT_FALSE(a.expired() || b.expired() || c.expired());
}

/// Which of three nested scopes, outermost first, has thrown.
int owner_of(std::array<coir::deadline, 3> d) {
    coir::timeout first(d[0]);
    std::optional<int> owner;
    try {
        coir::timeout second(d[1]);
        try {
            coir::timeout third(d[2]);
            try {
                sleep_for(1h);
            } catch (const coir::timed_out& e) {
                owner = first.owns(e) ? 1 : second.owns(e) ? 2 : third.owns(e) ? 3 : 0;
            }
        } catch (...) {
            ADD_FAILURE();
        }
    } catch (...) {
        ADD_FAILURE();
    }
    return owner.value_or(-1);
}

TEST_F(timeout, nested_each_knows_its_own) {
    const auto in = [](int ms) { return coir::deadline::after(std::chrono::milliseconds(ms)); };
    EXPECT_EQ(owner_of({in(300), in(200), in(2)}), 3);
    EXPECT_EQ(owner_of({in(2), in(200), in(300)}), 1);
    EXPECT_EQ(owner_of({in(300), in(2), in(200)}), 2);
    const auto same = in(2);
    EXPECT_EQ(owner_of({same, same, same}), 1) << "the outermost was armed first";
}

TEST_F(timeout, at_the_end_of_a_sleep_of_the_same_length_wakes_once) {
    auto t = coir::spawn([] {
        for (int i = 0; i < 20; ++i) {
            const auto end = coir::deadline::after(1ms);
            coir::timeout limit(end);
            thrown_by([&] { coir::this_fiber::sleep_until(end); });
        }
        const auto begin = std::chrono::steady_clock::now();
        sleep_for(3ms);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    });
    t.get();
}

TEST_F(timeout, a_completion_in_the_same_round_wins) {
    coir::channel<int> c;
    const auto end = coir::deadline::after(1ms);
    std::optional<int> got;
    auto t = coir::spawn([&] {
        coir::timeout limit(end);
        got = c.recv();
    });
    task_tests::until_parked(t);
    while (!end.expired()) {
    }
    c.send(7);
    t.get();
    EXPECT_EQ(got, 7);
}

TEST_F(timeout, that_runs_out_in_a_destructor_during_unwinding_waits_until_after_it) {
    bool slept = false;
    const auto unwind = [&] {
        struct sleeps {
            bool& done;
            ~sleeps() {
                sleep_for(5ms);
                done = true;
            }
        };
        coir::timeout limit(1ms);
        const sleeps at_end{slept};
        throw 42;
    };
    EXPECT_THROW(unwind(), int);
    EXPECT_TRUE(slept);
}

TEST_F(timeout, wait_for_gives_the_result) {
    EXPECT_EQ(coir::wait_for(
                  1h, [](int i) { return i + 1; }, 2),
              3);
}

TEST_F(timeout, a_million_that_end_at_once_leave_no_timer) {
    for (int i = 0; i < 1'000'000; ++i) coir::timeout limit(60s);
    EXPECT_EQ(coir::detail::hub_core::current().timers().size(), 0u);
}

}  // namespace
