// Time limits and cancellation, on a clock that stands still: what is simultaneous is so exactly, and each order of it
// has a seed. The rows are those of tests/README.md.
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "task/leftovers.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::testing::run_until_parked;
using coir::testing::virtual_clock;

// --- C3: scopes in scopes

/// Which of three nested scopes, the outermost being 0, throws, with limits in seconds, and whether each knew its own.
std::string who_throws(const std::array<int, 3>& limits, const virtual_clock& clock) {
    std::string told;
    const auto start = clock.elapsed();
    const auto note = [&](int index, bool own) {
        told += std::to_string(index) + (own ? "own " : "other ");
        EXPECT_EQ(clock.elapsed() - start, std::chrono::seconds(*std::min_element(limits.begin(), limits.end())));
    };
    const coir::timeout outer{std::chrono::seconds(limits[0])};
    try {
        const coir::timeout middle{std::chrono::seconds(limits[1])};
        try {
            const coir::timeout inner{std::chrono::seconds(limits[2])};
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::timed_out& e) {
                note(2, inner.owns(e));
                throw;
            }
        } catch (const coir::timed_out& e) {
            note(1, middle.owns(e));
            throw;
        }
    } catch (const coir::timed_out& e) {
        note(0, outer.owns(e));
    }
    return told;
}

COIR_TEST(nested_limits, c3_only_the_right_scope_reports) {
    const virtual_clock clock;
    EXPECT_EQ(who_throws({3, 2, 1}, clock), "2own 1other 0other ");
    EXPECT_EQ(who_throws({1, 2, 3}, clock), "2other 1other 0own ");
    EXPECT_EQ(who_throws({2, 1, 3}, clock), "2other 1own 0other ");
    EXPECT_EQ(who_throws({1, 1, 1}, clock), "2other 1other 0own ") << "the first armed throws first";
    EXPECT_EQ(who_throws({2, 1, 1}, clock), "2other 1own 0other ");
}

COIR_TEST(nested_limits, c3_each_throws_once_when_its_time_comes) {
    const virtual_clock clock;
    std::string told;
    const coir::timeout outer(3s);
    try {
        const coir::timeout middle(2s);
        try {
            const coir::timeout inner(1s);
            coir::this_fiber::sleep_for(1h);
        } catch (const coir::timed_out&) {
            told += std::to_string(clock.elapsed() / 1s);
        }
        coir::this_fiber::sleep_for(1h);
    } catch (const coir::timed_out& e) {
        EXPECT_FALSE(outer.owns(e));
        told += std::to_string(clock.elapsed() / 1s);
    }
    try {
        coir::this_fiber::sleep_for(1h);
    } catch (const coir::timed_out& e) {
        EXPECT_TRUE(outer.owns(e));
        told += std::to_string(clock.elapsed() / 1s);
    }
    EXPECT_EQ(told, "123");
    coir::this_fiber::sleep_for(1h);  // no more of them
}

COIR_TEST(nested_limits, c3_of_equal_deadlines_both_are_told_one_after_the_other) {
    const virtual_clock clock;
    int outer_told = 0, inner_told = 0;
    try {
        const coir::timeout outer(1s);
        try {
            const coir::timeout inner(1s);
            for (int i = 0; i < 2; ++i) {
                try {
                    coir::this_fiber::sleep_for(1h);
                } catch (const coir::timed_out& e) {
                    (inner.owns(e) ? inner_told : outer_told)++;
                    EXPECT_TRUE(inner.owns(e) || outer.owns(e));
                }
            }
        } catch (const coir::timed_out&) {
            ADD_FAILURE();
        }
    } catch (const coir::timed_out&) {
        ADD_FAILURE();
    }
    EXPECT_EQ(outer_told, 1);
    EXPECT_EQ(inner_told, 1);
    EXPECT_EQ(clock.elapsed(), 1s);
}

COIR_TEST(nested_limits, c3_two_tasks_with_scopes_of_the_same_deadlines) {
    const virtual_clock clock;
    std::vector<coir::task<std::string>> tasks;
    for (int i = 0; i < 10; ++i) {
        tasks.push_back(coir::spawn([&, i] {
            return i % 2 ? who_throws({1, 2, 3}, clock) : who_throws({3, 2, 1}, clock);
        }));
    }
    for (std::size_t i = 0; i < tasks.size(); ++i)
        EXPECT_EQ(tasks[i].get(), i % 2 ? "2other 1other 0own " : "2own 1other 0other ");
}

// --- C7: a limit during unwinding

COIR_TEST(unwinding, c7_a_destructor_sleeps_past_its_scopes_deadline) {
    const virtual_clock clock;
    struct slow {
        ~slow() { coir::this_fiber::sleep_for(10s); }
    };
    std::string told;
    const coir::timeout limit(1s);
    try {
        const slow goodbye;
        throw std::runtime_error("first");
    } catch (const std::runtime_error& e) {
        told = e.what();
    }
    EXPECT_EQ(told, "first");
    EXPECT_EQ(clock.elapsed(), 10s) << "it had its time";
    EXPECT_TRUE(limit.expired());
    EXPECT_EQ(task_tests::thrown_by([] { coir::this_fiber::yield(); }), "timed_out") << "and comes after it";
}

COIR_TEST(unwinding, c7_a_scope_inside_a_destructor_that_unwinds) {
    const virtual_clock clock;
    struct limited {
        ~limited() {
            const coir::timeout limit(1s);
            coir::this_fiber::sleep_for(5s);  // may not throw: another exception is in flight
        }
    };
    EXPECT_EQ(task_tests::thrown_by([] {
                  const limited goodbye;
                  throw std::runtime_error("first");
              }),
              "first");
    EXPECT_EQ(clock.elapsed(), 5s);
    coir::this_fiber::sleep_for(1s);  // it has gone with its scope
}

COIR_TEST(unwinding, c7_cancelled_and_timed_out_while_it_unwinds) {
    const virtual_clock clock;
    struct slow {
        ~slow() { coir::this_fiber::sleep_for(10s); }
    };
    std::string told;
    auto t = coir::spawn([&] {
        const coir::timeout limit(1s);
        for (int i = 0; i < 3; ++i) {
            told += task_tests::thrown_by([&] {
                        const slow goodbye;
                        coir::this_fiber::sleep_for(1h);
                    }) +
                    " ";
        }
    });
    coir::this_fiber::sleep_for(5s);  // the limit was over at 1, and it unwinds until 11
    EXPECT_FALSE(t.done());
    t.cancel();
    coir::this_fiber::sleep_for(5s);
    EXPECT_FALSE(t.done());
    t.join();
    EXPECT_EQ(told, "timed_out cancelled  ");
    EXPECT_FALSE(t.was_cancelled());
}

// --- C8: shields

COIR_TEST(shielded, c8_a_goodbye_arrives) {
    const virtual_clock clock;
    coir::channel<std::string> wire;
    auto session = coir::spawn([&] {
        struct connection {
            coir::channel<std::string>& wire;
            ~connection() {
                const coir::shield mask;
                coir::this_fiber::sleep_for(1s);  // the network is slow
                wire.send("QUIT");
            }
        };
        const connection c{wire};
        coir::this_fiber::sleep_for(1h);
    });
    run_until_parked();
    session.cancel();
    EXPECT_EQ(wire.recv(), "QUIT");
    session.join();
    EXPECT_TRUE(session.was_cancelled());
    EXPECT_EQ(clock.elapsed(), 1s);
}

COIR_TEST(shielded, c8_a_limit_of_the_operation_counts_and_a_scopes_does_not) {
    const virtual_clock clock;
    coir::channel<int> wire;
    std::string told = task_tests::thrown_by([&] {
        const coir::timeout scope(1s);
        {
            const coir::shield mask;
            EXPECT_FALSE(wire.send_for(1, 3s));
            EXPECT_EQ(clock.elapsed(), 3s);
            coir::this_fiber::yield();
        }
        coir::this_fiber::yield();
    });
    EXPECT_EQ(told, "timed_out") << "after the shield";
}

COIR_TEST(shielded, c8_shields_nest) {
    const virtual_clock clock;
    std::string steps;
    auto t = coir::spawn([&] {
        {
            const coir::shield outer;
            {
                const coir::shield inner;
                coir::this_fiber::sleep_for(1s);
                steps += 'i';
            }
            coir::this_fiber::sleep_for(1s);
            steps += 'o';
        }
        coir::this_fiber::sleep_for(1s);
        steps += '!';
    });
    run_until_parked();
    t.cancel();
    t.join();
    EXPECT_EQ(steps, "io");
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(clock.elapsed(), 2s);
}

COIR_TEST(shielded, c8_many_tasks_say_goodbye_in_any_order) {
    const virtual_clock clock;
    int goodbyes = 0;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 20; ++i) {
        tasks.push_back(coir::spawn([&, i] {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
                const coir::shield mask;
                coir::this_fiber::sleep_for(std::chrono::seconds(i % 5));
                ++goodbyes;
                throw;
            }
        }));
    }
    run_until_parked();
    for (auto& t : tasks) {
        t.cancel();
        t.cancel();
    }
    for (auto& t : tasks) t.join();
    EXPECT_EQ(goodbyes, 20);
    EXPECT_EQ(clock.elapsed(), 4s);
}

// --- C13: many at once

class many_at_once : public task_tests::clean_test {};

TEST_F(many_at_once, c13_a_hundred_thousand_are_parked_and_cancelled) {
    const virtual_clock clock;
    int unwound = 0;
    coir::event never;
    coir::task_group group;
    for (int i = 0; i < task_tests::multitude; ++i) {
        group.spawn([&, i] {
            try {
                i % 2 ? never.wait() : coir::this_fiber::sleep_for(std::chrono::hours(1 + i));
            } catch (const coir::cancelled&) {
                ++unwound;
                throw;
            }
        });
    }
    run_until_parked();
    group.cancel();
    group.join();
    EXPECT_EQ(unwound, task_tests::multitude);
    EXPECT_EQ(clock.elapsed(), 0ns);
}

TEST_F(many_at_once, c13_a_hundred_thousand_limits_are_over_at_the_same_tick) {
    const virtual_clock clock;
    int timed_out = 0;
    coir::event never;
    const coir::deadline noon = coir::deadline::after(12h);
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < task_tests::multitude; ++i) {
        tasks.push_back(coir::spawn([&] {
            try {
                const coir::timeout limit(noon);
                never.wait();
            } catch (const coir::timed_out&) {
                ++timed_out;
            }
        }));
    }
    for (auto& t : tasks) t.join();
    EXPECT_EQ(timed_out, task_tests::multitude);
    EXPECT_EQ(clock.elapsed(), 12h);
}

}  // namespace
