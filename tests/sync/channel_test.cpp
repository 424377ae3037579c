#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;
using coir::channel;

COIR_TEST(channel, without_capacity_is_a_rendezvous) {
    channel<int> c;
    EXPECT_FALSE(c.try_send(1));
    bool sent = false;
    auto t = coir::spawn([&] {
        c.send(1);
        sent = true;
    });
    until_parked(t);
    EXPECT_FALSE(sent);
    EXPECT_EQ(c.recv(), 1);
    t.get();
}

/// Through the buffer, and from hand to hand, also of what a function returns in registers.
template <class T>
void pass(const T& first, const T& second) {
    for (const std::size_t capacity : {0, 2}) {
        channel<T> c(capacity);
        auto t = coir::spawn([&] {
            c.send(T(first));
            c.send(T(second));
            c.close();
        });
        EXPECT_EQ(c.recv(), std::optional<T>(first));
        EXPECT_EQ(c.recv(), std::optional<T>(second));
        EXPECT_EQ(c.recv(), std::nullopt);
        t.get();
    }
}

struct nothing {
    friend bool operator==(nothing, nothing) = default;
};
struct halves {
    short low, high;
    friend bool operator==(const halves&, const halves&) = default;
};
struct larger_than_two_registers {
    long parts[3];
    friend bool operator==(const larger_than_two_registers&, const larger_than_two_registers&) = default;
};

COIR_TEST(channel, values_of_all_sorts_arrive) {
    int somewhere = 0;
    pass<bool>(false, true);
    pass<long>(-1, 1L << 40);
    pass<double>(0.1, -0.0);
    pass<int*>(&somewhere, nullptr);
    pass<nothing>({}, {});
    pass<halves>({1, -2}, {-3, 4});
    pass<larger_than_two_registers>({{1, 2, 3}}, {{-4, -5, -6}});
    pass<std::string>("short", std::string(100, 'x'));
    pass<std::optional<int>>(std::nullopt, 5);
}

COIR_TEST(channel, a_bounded_one_makes_senders_wait_in_order) {
    channel<int> c(2);
    c.send(-2);
    c.send(-1);
    tasks senders = line_up(3, [&](int i) { c.send(i); });
    EXPECT_EQ(c.size(), 2u);
    EXPECT_FALSE(c.try_send(9)) << "others wait";
    for (int i = -2; i < 3; ++i) EXPECT_EQ(c.recv(), i);
    get_all(senders);
}

COIR_TEST(channel, receivers_are_served_in_the_order_in_which_they_came) {
    channel<int> c;
    std::vector<int> got(5);
    tasks all = line_up(5, [&](int i) { got[static_cast<std::size_t>(i)] = *c.recv(); });
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(c.try_send(i * 10));
    get_all(all);
    EXPECT_EQ(got, (std::vector{0, 10, 20, 30, 40}));
}

COIR_TEST(channel, an_unbounded_one_takes_all_and_keeps_the_order) {
    channel<int> c(channel<int>::unbounded);
    for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(c.try_send(i));
    EXPECT_EQ(c.size(), 1'000u);
    for (int i = 0; i < 1'000; ++i) EXPECT_EQ(c.try_recv(), i);
    EXPECT_EQ(c.try_recv(), std::nullopt);
}

COIR_TEST(channel, close_ends_senders_and_gives_receivers_the_rest) {
    channel<int> c(1);
    c.send(1);
    auto sender = coir::spawn([&] { c.send(2); });
    until_parked(sender);
    c.close();
    c.close();
    EXPECT_TRUE(c.is_closed());
    EXPECT_EQ(thrown_by([&] { sender.get(); }), "channel_closed");
    EXPECT_EQ(c.recv(), 1);
    EXPECT_EQ(c.recv(), std::nullopt);
    EXPECT_EQ(c.try_recv(), std::nullopt);
    EXPECT_EQ(c.recv_for(1h), std::nullopt);
}

COIR_TEST(channel, close_wakes_all_who_wait_each_once) {
    for (const std::size_t capacity : {0u, 2u}) {
        channel<int> empty(capacity), full(capacity);
        while (full.size() < capacity) full.send(1);
        int nothing = 0, closed = 0;
        tasks all = line_up(20, [&](int i) {
            if (i % 2) {
                nothing += !empty.recv();
            } else {
                closed += thrown_by([&] { full.send(2); }) == "channel_closed";
            }
        });
        empty.close();
        full.close();
        get_all(all);
        EXPECT_EQ(nothing, 10);
        EXPECT_EQ(closed, 10);
    }
}

COIR_TEST(channel, sending_into_a_closed_one_is_told_and_changes_nothing) {
    channel<std::unique_ptr<int>> c(2);
    c.send(std::make_unique<int>(1));
    c.close();
    auto item = std::make_unique<int>(4);
    EXPECT_EQ(thrown_by([&] { c.send(std::make_unique<int>(2)); }), "channel_closed");
    EXPECT_EQ(thrown_by([&] { (void)c.send_for(std::make_unique<int>(2), 1h); }), "channel_closed");
    EXPECT_EQ(thrown_by([&] { (void)c.try_send(std::move(item)); }), "channel_closed");
    ASSERT_TRUE(item) << "untouched";
    EXPECT_EQ(*item, 4);
    EXPECT_EQ(c.size(), 1u);
    EXPECT_EQ(**c.recv(), 1);
}

COIR_TEST(channel, try_send_leaves_what_it_does_not_take) {
    channel<std::unique_ptr<int>> c(0);
    auto item = std::make_unique<int>(4);
    EXPECT_FALSE(c.try_send(std::move(item)));
    ASSERT_TRUE(item);
    EXPECT_EQ(*item, 4);
}

COIR_TEST(channel, range_for_receives_until_it_is_closed) {
    channel<int> c(3);
    auto t = coir::spawn([&] {
        for (int i = 1; i <= 10; ++i) c.send(i);
        c.close();
    });
    int sum = 0;
    for (int i : c) sum += i;
    EXPECT_EQ(sum, 55);
    t.get();
}

COIR_TEST(channel, limits_are_never_early_and_take_and_give_nothing) {
    const virtual_clock clock;
    channel<int> c;
    EXPECT_EQ(c.recv_for(3ms), std::nullopt);
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_FALSE(c.send_for(1, 2ms));
    EXPECT_EQ(clock.elapsed(), 5ms);
    EXPECT_EQ(c.try_recv(), std::nullopt) << "the one that was not sent is gone";
    EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { (void)c.recv(); }); }), "timed_out");
    EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { c.send(1); }); }), "timed_out");
    EXPECT_FALSE(c.try_send(2)) << "no receiver is left in the queue";
}

/// Two receivers, of which the first gives up: the item goes to the second.
COIR_TEST(channel, a_receiver_that_gave_up_is_passed_over) {
    const virtual_clock clock;
    channel<int> c;
    std::optional<int> got[3];
    tasks all = line_up(3, [&](int i) { got[i] = i == 0 ? c.recv_for(1ms) : c.recv(); });
    coir::this_fiber::sleep_for(2ms);
    all[1].cancel();
    EXPECT_TRUE(c.try_send(7));
    for (auto& t : all) t.join();
    EXPECT_EQ(got[0], std::nullopt);
    EXPECT_EQ(got[1], std::nullopt);
    EXPECT_EQ(got[2], 7);
}

COIR_TEST(channel, a_sender_that_gave_up_is_passed_over_and_its_item_dropped) {
    const virtual_clock clock;
    channel<std::shared_ptr<int>> c;
    const auto item = std::make_shared<int>(3);
    tasks all = line_up(3, [&](int i) { i == 0 ? (void)c.send_for(item, 1ms) : c.send(i == 1 ? item : nullptr); });
    coir::this_fiber::sleep_for(2ms);
    all[1].cancel();
    EXPECT_EQ(c.recv(), std::optional<std::shared_ptr<int>>(nullptr));
    for (auto& t : all) t.join();
    EXPECT_EQ(item.use_count(), 1);
}

COIR_TEST(channel, an_item_on_its_way_to_a_receiver_that_is_cancelled_arrives) {
    channel<int> c;
    std::optional<int> first;
    auto a = coir::spawn([&] {
        first = c.recv();
        yield();
        ADD_FAILURE();
    });
    until_parked(a);
    c.send(1);
    a.cancel();
    a.join();
    EXPECT_EQ(first, 1);
    EXPECT_TRUE(a.was_cancelled());
    auto b = coir::spawn([&] { return c.recv(); });
    until_parked(b);
    b.cancel();
    EXPECT_FALSE(c.try_send(2));
    b.join();
}

COIR_TEST(channel, taken_from_a_sender_and_cancelled_in_one_round_it_counts_as_sent) {
    channel<int> c;
    bool sent = false;
    auto t = coir::spawn([&] {
        c.send(1);
        sent = true;
        yield();
        ADD_FAILURE();
    });
    until_parked(t);
    EXPECT_EQ(c.try_recv(), 1);
    t.cancel();
    t.join();
    EXPECT_TRUE(sent);
}

COIR_TEST(channel, taken_from_a_sender_and_closed_in_one_round_it_counts_as_sent) {
    channel<int> c;
    tasks all = line_up(2, [&](int i) { EXPECT_EQ(thrown_by([&] { c.send(i); }), i == 0 ? "" : "channel_closed"); });
    EXPECT_EQ(c.try_recv(), 0);
    c.close();
    get_all(all);
}

COIR_TEST(channel, given_or_taken_in_the_round_of_the_limit_it_counts) {
    virtual_clock clock(virtual_clock::jumps::never);
    channel<int> c;
    auto receiver = coir::spawn([&] { return c.recv_for(1ms); });
    until_parked(receiver);
    clock.advance(1ms);
    EXPECT_TRUE(c.try_send(5));
    EXPECT_EQ(receiver.get(), 5);
    auto sender = coir::spawn([&] { return c.send_for(6, 1ms); });
    until_parked(sender);
    clock.advance(1ms);
    EXPECT_EQ(c.try_recv(), 6);
    EXPECT_TRUE(sender.get());
}

/// Senders and receivers with random limits and cancellations, and a close at the end: what was sent is received, once.
COIR_TEST(channel, nothing_is_lost_or_doubled_whatever_happens_to_the_waiters) {
    const virtual_clock clock;
    std::mt19937 random = dice();
    channel<int> c(random() % 3);
    std::vector<int> sent, received;
    tasks all;
    const auto limit = [&] { return std::chrono::microseconds(random() % 20); };
    for (int i = 0; i < 8; ++i) {
        all.push_back(coir::spawn([&, i] {
            for (int n = 0; n < 8; ++n) {
                const int item = i * 100 + n;
                thrown_by([&] {
                    if (random() % 2 ? c.send_for(item, limit()) : (c.send(item), true)) sent.push_back(item);
                });
                thrown_by([&] { coir::this_fiber::sleep_for(limit()); });
            }
        }));
        all.push_back(coir::spawn([&] {
            while (!c.is_closed() || c.size() != 0) {
                thrown_by([&] {
                    const auto item = random() % 2 ? c.recv_for(limit()) : c.recv();
                    if (item) received.push_back(*item);
                });
            }
        }));
    }
    for (int i = 0; i < 40; ++i) {
        all[random() % all.size()].cancel();
        coir::this_fiber::sleep_for(5us);
    }
    for (std::size_t i = 0; i < all.size(); i += 2) all[i].join();
    c.close();
    for (auto& t : all) t.join();
    std::ranges::sort(sent);
    std::ranges::sort(received);
    EXPECT_EQ(sent, received);
}

COIR_TEST(channel, a_posted_function_may_not_wait_and_may_try) {
    channel<int> c;
    EXPECT_EQ(thrown_when_posted([&] { (void)c.recv(); }), "fiber_error");
    EXPECT_EQ(thrown_when_posted([&] { c.send(1); }), "fiber_error");
    auto t = coir::spawn([&] { return c.recv(); });
    until_parked(t);
    EXPECT_EQ(thrown_when_posted([&] { c.send(2); }), "") << "it need not wait";
    EXPECT_EQ(t.get(), 2);
}

}  // namespace
