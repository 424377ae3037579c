// Generators whose bodies block: what other languages call asynchronous generators.
#include <coir/fiber/generator.hpp>
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <coir/base/unique_fd.hpp>

#include <unistd.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::generator;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using generator_io = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;
using task_tests::yield_times;

generator<int> slow_numbers(int count) {
    return generator<int>([count](auto& out) {
        for (int i = 0; i < count; ++i) {
            sleep_for(200us);
            out(i);
        }
    });
}

TEST_F(generator_io, a_body_that_sleeps_lets_others_run) {
    int turns = 0;
    bool stop = false;
    auto other = coir::spawn([&] {
        while (!stop) {
            ++turns;
            yield();
        }
    });
    std::vector<int> got;
    for (int i : slow_numbers(5)) got.push_back(i);
    stop = true;
    other.get();
    EXPECT_EQ(got, (std::vector{0, 1, 2, 3, 4}));
    EXPECT_GT(turns, 5);
}

TEST_F(generator_io, a_body_that_reads) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const coir::unique_fd out(fds[0]);
    coir::unique_fd in(fds[1]);
    generator<std::string> words([&](auto& yields) {
        std::string word;
        for (char c; coir::wait_readable(out.get()), ::read(out.get(), &c, 1) == 1;) {
            if (c != ' ') {
                word += c;
            } else {
                yields(std::move(word));
                word.clear();
            }
        }
        yields(std::move(word));
    });
    auto writer = coir::spawn([&] {
        for (const std::string_view part : {"one tw", "o th", "ree"}) {
            EXPECT_EQ(::write(in.get(), part.data(), part.size()), static_cast<ssize_t>(part.size()));
            sleep_for(100us);
        }
        in.reset();
    });
    std::vector<std::string> got;
    for (auto& w : words) got.push_back(w);
    EXPECT_EQ(got, (std::vector<std::string>{"one", "two", "three"}));
    writer.get();
}

TEST_F(generator_io, a_cancelled_consumer_is_thrown_out_through_the_body) {
    bool in_body = false;
    auto consumer = coir::spawn([&] {
        generator<int> g([&](auto& out) {
            in_body = thrown_by([] { sleep_for(1h); }) == "cancelled";
            out(1);
            throw coir::cancelled{};
        });
        for (int i : g) EXPECT_EQ(i, 1);
    });
    yield_times(2);
    consumer.cancel();
    consumer.join();
    EXPECT_TRUE(in_body);
    EXPECT_TRUE(consumer.was_cancelled());
}

TEST_F(generator_io, the_consumers_timeout_is_thrown_in_the_body_and_ends_it) {
    generator<int> g([](auto& out) {
        out(1);
        sleep_for(1h);
    });
    EXPECT_EQ(g.next(), 1);
    EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { return g.next(); }); }), "timed_out");
    EXPECT_EQ(g.next(), std::nullopt) << "its body has ended";
}

TEST_F(generator_io, a_timeout_scope_in_the_body_does_not_fire_at_yield) {
    std::vector<std::string> seen;
    generator<int> g([&](auto& out) {
        coir::timeout limit(1ms);
        out(1);  // the consumer takes its time here
        out(2);
        seen.push_back(limit.expired() ? "expired" : "running");
        seen.push_back(thrown_by([] { sleep_for(1h); }));
        out(3);
    });
    EXPECT_EQ(g.next(), 1);
    sleep_for(3ms);
    EXPECT_EQ(g.next(), 2);
    sleep_for(3ms);
    EXPECT_EQ(g.next(), 3);
    EXPECT_EQ(g.next(), std::nullopt);
    EXPECT_EQ(seen, (std::vector<std::string>{"expired", "timed_out"})) << "it fires at the body's own next wait";
}

TEST_F(generator_io, dropped_half_way_after_a_wait_unwinds_the_body) {
    bool unwound = false;
    struct at_end {
        bool& unwound;
        ~at_end() { unwound = true; }
    };
    {
        generator<int> g([&](auto& out) {
            const at_end last{unwound};
            for (int i = 0;; ++i) {
                sleep_for(100us);
                out(i);
            }
        });
        EXPECT_EQ(g.next(), 0);
        EXPECT_EQ(g.next(), 1);
        EXPECT_FALSE(unwound);
    }
    EXPECT_TRUE(unwound);
}

TEST_F(generator_io, its_goodbye_may_suspend) {
    bool said = false;
    struct goodbye {
        bool& said;
        ~goodbye() {
            coir::shield mask;
            sleep_for(1ms);
            said = true;
        }
    };
    {
        generator<int> g([&](auto& out) {
            const goodbye last{said};
            out(1);
        });
        EXPECT_EQ(g.next(), 1);
    }
    while (!said) sleep_for(100us);
    yield_times(2);
}

TEST_F(generator_io, an_error_after_a_wait_arrives_in_the_consumer) {
    generator<int> g([](auto& out) {
        out(1);
        sleep_for(100us);
        throw std::runtime_error("broken");
    });
    std::vector<int> got;
    EXPECT_EQ(thrown_by([&] {
                  for (int i : g) got.push_back(i);
              }),
              "broken");
    EXPECT_EQ(got, std::vector{1});
}

TEST_F(generator_io, changes_hands_between_steps) {
    auto g = slow_numbers(6);
    std::vector<int> got;
    for (int step = 0; step < 3; ++step) {
        got.push_back(*g.next());
        coir::spawn([&] { got.push_back(*g.next()); }).get();
    }
    EXPECT_EQ(got, (std::vector{0, 1, 2, 3, 4, 5}));
}

TEST_F(generator_io, one_over_another_both_of_which_wait) {
    generator<int> doubled([](auto& out) {
        for (int i : slow_numbers(4)) {
            sleep_for(100us);
            out(2 * i);
        }
    });
    int sum = 0;
    for (int i : doubled) sum += i;
    EXPECT_EQ(sum, 12);
}

TEST_F(generator_io, a_hundred_consumers_at_once) {
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(coir::spawn([] {
            int sum = 0;
            for (int n : slow_numbers(10)) sum += n;
            return sum;
        }));
    }
    for (auto& t : tasks) EXPECT_EQ(t.get(), 45);
}

}  // namespace
