// Nobody starves: fibers, timers, I/O and posts all get on, whatever the others do. Where one of them did not, these
// tests would never end.
#include "hub/hub_core.hpp"

#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <coir/base/unique_fd.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::unique_fd;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;

class fairness : public task_tests::clean_test {
protected:
    /// Fibers that do nothing but yield.
    void start_spinners(int count) {
        for (int i = 0; i < count; ++i) {
            spinners_.push_back(coir::spawn([this] {
                while (!stop_) {
                    ++yields_;
                    yield();
                }
            }));
        }
    }
    void TearDown() override {
        stop_ = true;
        for (auto& t : spinners_) t.get();
        spinners_.clear();
    }

    bool stop_ = false;
    long yields_ = 0;
    std::vector<coir::task<void>> spinners_;
};

TEST_F(fairness, yields_go_round_robin) {
    std::string order;
    auto a = coir::spawn([&] {
        for (char c : {'1', '2', '3'}) {
            order += {'a', c};
            yield();
        }
    });
    auto b = coir::spawn([&] {
        for (char c : {'1', '2', '3'}) {
            order += {'b', c};
            yield();
        }
    });
    a.get();
    b.get();
    EXPECT_EQ(order, "a1b1a2b2a3b3");
}

TEST_F(fairness, main_takes_part_in_the_round) {
    start_spinners(1);
    yield();
    for (long i = 1; i < 1'000; ++i) {
        EXPECT_EQ(yields_, i);
        yield();
    }
}

TEST_F(fairness, fibers_that_yield_do_not_starve_timers) {
    start_spinners(10);
    for (int i = 0; i < 20; ++i) sleep_for(500us);
    EXPECT_GT(yields_, 0);
}

TEST_F(fairness, fibers_that_yield_do_not_starve_io) {
    start_spinners(10);
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    const unique_fd here(fds[0]), there(fds[1]);
    auto echo = coir::spawn([&] {
        for (int i = 0; i < 200; ++i) {
            char c;
            coir::wait_readable(there.get());
            EXPECT_EQ(::read(there.get(), &c, 1), 1);
            EXPECT_EQ(::write(there.get(), &c, 1), 1);
        }
    });
    for (int i = 0; i < 200; ++i) {
        char c = 'x';
        EXPECT_EQ(::write(here.get(), &c, 1), 1);
        coir::wait_readable(here.get());
        EXPECT_EQ(::read(here.get(), &c, 1), 1);
    }
    echo.get();
}

TEST_F(fairness, fibers_that_yield_do_not_starve_posts) {
    start_spinners(10);
    coir::hub here = coir::hub::current();
    std::atomic<int> ran{0};
    std::thread other([&] {
        for (int i = 0; i < 100; ++i) {
            here.post([&] { ++ran; });
            while (ran <= i) ::sched_yield();
        }
    });
    while (ran < 100) yield();
    other.join();
}

TEST_F(fairness, fibers_that_hand_on_a_mutex_and_a_channel_do_not_starve_timers) {
    coir::channel<int> c(1);
    bool stop = false;
    auto sender = coir::spawn([&] {
        while (!stop) c.send(1);
        c.close();
    });
    auto receiver = coir::spawn([&] {
        while (c.recv()) {
        }
    });
    for (int i = 0; i < 20; ++i) sleep_for(500us);
    stop = true;
    sender.get();
    receiver.get();
}

TEST_F(fairness, fibers_that_spawn_for_ever_do_not_starve_timers) {
    bool stop = false;
    std::function<void()> again = [&] {
        if (!stop) coir::spawn(again);
    };
    coir::spawn(again);
    for (int i = 0; i < 20; ++i) sleep_for(500us);
    stop = true;
    while (!coir::detail::hub_core::current().thread().fibers.empty()) yield();
}

TEST_F(fairness, timers_that_are_always_due_do_not_starve_io) {
    bool stop = false;
    std::vector<coir::task<void>> sleepers;
    for (int i = 0; i < 10; ++i) {
        sleepers.push_back(coir::spawn([&] {
            while (!stop) sleep_for(-1ns);
        }));
    }
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const unique_fd out(fds[0]), in(fds[1]);
    auto reader = coir::spawn([&] { coir::wait_readable(out.get()); });
    task_tests::until_parked(reader);
    EXPECT_EQ(::write(in.get(), "x", 1), 1);
    reader.get();
    stop = true;
    for (auto& t : sleepers) t.get();
}

TEST_F(fairness, a_descriptor_that_is_always_ready_starves_nobody) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const unique_fd out(fds[0]), in(fds[1]);
    EXPECT_EQ(::write(in.get(), "x", 1), 1);
    bool stop = false;
    long reads = 0;
    auto greedy = coir::spawn([&] {
        while (!stop) {
            coir::wait_readable(out.get());
            ++reads;
        }
    });
    for (int i = 0; i < 20; ++i) sleep_for(500us);
    stop = true;
    greedy.get();
    EXPECT_GT(reads, 0);
}

TEST_F(fairness, a_turn_has_a_budget_of_io_operations_that_a_switch_renews) {
    auto& hub = coir::detail::hub_core::current();
    const auto until_spent = [&] {
        int n = 1;
        while (hub.spend_io_budget()) ++n;
        return n;
    };
    yield();
    const int first = until_spent();
    EXPECT_GT(first, 1);
    yield();
    EXPECT_EQ(until_spent(), first);
    yield();
}

/// The rounds get as short as the fibers' turns are long, so that a timer waits for few of them.
TEST_F(fairness, a_round_of_slow_fibers_gets_short) {
    constexpr std::size_t count = 10;
    bool stop = false;
    coir::deadline due = coir::deadline::never();
    long late = 0;  // turns since the timer was due
    std::vector<coir::task<void>> slow;
    for (std::size_t i = 0; i < count; ++i) {
        slow.push_back(coir::spawn([&] {
            while (!stop) {
                const auto turn = coir::deadline::after(100us);
                while (!turn.expired()) {
                }
                late += due.expired();
                yield();
            }
        }));
    }
    std::vector<long> seen;
    for (int i = 0; i < 30; ++i) {
        late = 0;
        due = coir::deadline::after(1ms);
        coir::this_fiber::sleep_until(due);
        seen.push_back(late);
    }
    stop = true;
    for (auto& t : slow) t.get();
    std::sort(seen.begin(), seen.end());
    EXPECT_LE(seen[seen.size() / 2], 3 * static_cast<long>(count)) << "turns, in the median";
}

}  // namespace
