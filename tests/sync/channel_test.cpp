#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::channel;
using channel_of = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

TEST_F(channel_of, no_capacity_is_a_rendezvous) {
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

TEST_F(channel_of, a_bounded_one_makes_senders_wait_in_order) {
    channel<int> c(2);
    c.send(0);
    c.send(1);
    std::vector<coir::task<void>> senders;
    for (int i = 2; i < 5; ++i) {
        senders.push_back(coir::spawn([&, i] { c.send(i); }));
        until_parked(senders.back());
    }
    EXPECT_EQ(c.size(), 2u);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(c.recv(), i);
    for (auto& t : senders) t.get();
}

TEST_F(channel_of, an_unbounded_one_takes_all) {
    channel<int> c(channel<int>::unbounded);
    for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(c.try_send(i));
    for (int i = 0; i < 10'000; ++i) EXPECT_EQ(c.try_recv(), i);
    EXPECT_EQ(c.try_recv(), std::nullopt);
}

TEST_F(channel_of, close_ends_senders_and_gives_receivers_the_rest) {
    channel<int> c(1);
    c.send(1);
    auto sender = coir::spawn([&] { c.send(2); });
    until_parked(sender);
    c.close();
    c.close();
    EXPECT_EQ(thrown_by([&] { sender.get(); }), "channel_closed");
    EXPECT_EQ(c.recv(), 1);
    EXPECT_EQ(c.recv(), std::nullopt);
    EXPECT_EQ(thrown_by([&] { c.send(3); }), "channel_closed");
}

TEST_F(channel_of, close_wakes_all_receivers) {
    channel<int> c;
    std::vector<coir::task<std::optional<int>>> receivers;
    for (int i = 0; i < 10; ++i) receivers.push_back(coir::spawn([&] { return c.recv(); }));
    until_parked(receivers.back());
    c.close();
    for (auto& t : receivers) EXPECT_EQ(t.get(), std::nullopt);
}

TEST_F(channel_of, try_send_leaves_what_it_does_not_take) {
    channel<std::unique_ptr<int>> c(0);
    auto item = std::make_unique<int>(4);
    EXPECT_FALSE(c.try_send(std::move(item)));
    ASSERT_TRUE(item);
    EXPECT_EQ(*item, 4);
}

TEST_F(channel_of, range_for_receives_until_it_is_closed) {
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

TEST_F(channel_of, a_cancelled_receiver_loses_nothing) {
    channel<int> c;
    std::optional<int> first;
    auto a = coir::spawn([&] { first = c.recv(); });
    until_parked(a);
    c.send(1);   // on its way to a
    a.cancel();  // too late: it is thrown at the next suspension, of which there is none
    a.join();
    EXPECT_EQ(first, 1);
    auto b = coir::spawn([&] { return c.recv(); });
    until_parked(b);
    b.cancel();
    EXPECT_FALSE(c.try_send(2));
    b.join();
}

TEST_F(channel_of, a_posted_receiver_limit_loses_nothing) {
    channel<int> c(4);
    long sent = 0, received = 0;
    auto consumer = coir::spawn([&] {
        while (!c.is_closed() || c.size() != 0) {
            if (auto v = c.recv_for(20us)) received += *v;
        }
    });
    for (int i = 1; i <= 2'000; ++i) {
        if (i % 16 == 0) coir::this_fiber::sleep_for(20us);
        if (c.send_for(i, 20us)) sent += i;
    }
    c.close();
    consumer.get();
    EXPECT_EQ(sent, received);
}

/// Two hubs and three plain threads send and receive, with random limits and cancellations; sums must be exact.
void exact_sums(std::size_t capacity) {
    channel<long> c(capacity);
    std::atomic<long> sent{0}, received{0};
    std::atomic<int> senders{4};
    const auto send_some = [&](unsigned seed) {
        std::mt19937 random(seed);
        for (int i = 0; i < 3'000; ++i) {
            const long v = static_cast<long>(random() % 1000);
            const bool ok =
                random() % 3 == 0 ? c.send_for(v, std::chrono::microseconds(random() % 50)) : (c.send(v), true);
            if (ok) sent += v;
        }
        if (--senders == 0) c.close();
    };
    const auto receive_all = [&](unsigned seed) {
        std::mt19937 random(seed);
        for (;;) {
            const auto v = random() % 2 ? c.recv_for(std::chrono::microseconds(random() % 50)) : c.recv();
            if (v) received += *v;
            if (!v && c.is_closed() && c.size() == 0) return;
        }
    };
    const auto hub_thread = [&](unsigned seed) {
        auto s = coir::spawn(send_some, seed);
        auto r = coir::spawn(receive_all, seed + 1);
        auto victim = coir::spawn([&] {
            for (;;) {
                try {
                    const auto v = c.recv();
                    if (!v) return;
                    received += *v;
                    coir::this_fiber::yield();
                } catch (const coir::cancelled&) {
                }
            }
        });
        coir::this_fiber::yield();  // so that it has started
        for (int i = 0; i < 500; ++i) {
            victim.cancel();
            coir::this_fiber::yield();
        }
        s.get();
        r.get();
        victim.get();
    };
    std::vector<std::thread> threads;
    threads.emplace_back(hub_thread, 1);
    threads.emplace_back(hub_thread, 10);
    threads.emplace_back(send_some, 20);
    threads.emplace_back(send_some, 30);
    threads.emplace_back(receive_all, 40);
    for (auto& t : threads) t.join();
    EXPECT_EQ(sent.load(), received.load());
}
TEST_F(channel_of, nothing_is_lost_between_hubs_and_threads_rendezvous) { exact_sums(0); }
TEST_F(channel_of, nothing_is_lost_between_hubs_and_threads_bounded) { exact_sums(3); }
TEST_F(channel_of, nothing_is_lost_between_hubs_and_threads_unbounded) { exact_sums(channel<long>::unbounded); }

}  // namespace
