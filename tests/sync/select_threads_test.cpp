// Selects of several threads that meet each other on the same channels.
#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;
using coir::channel;
using coir::on_recv;
using coir::on_send;

#ifdef __SANITIZE_THREAD__
constexpr int rounds = 5'000;
#else
constexpr int rounds = 50'000;
#endif

/// Each in a thread of its own; the odd ones in a fiber of a hub.
void in_threads(const std::vector<std::function<void()>>& bodies) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        threads.emplace_back([&, i] { i % 2 ? coir::spawn(bodies[i]).get() : bodies[i](); });
    }
    for (auto& t : threads) t.join();
}

/// What each has sent the other has received, whichever way round they name the channels.
COIR_TEST(select_threads, send_and_receive_in_opposite_order_meet_and_do_not_deadlock) {
    channel<int> a, b;
    std::atomic<int> sent{0}, received{0};
    const auto forth = [&] {
        for (int i = 0; i < rounds; ++i) {
            coir::select(on_send(a, i, [&] { ++sent; }), on_recv(b, [&](auto) { ++received; }));
        }
    };
    const auto back = [&] {
        for (int i = 0; i < rounds; ++i) {
            coir::select(on_send(b, i, [&] { ++sent; }), on_recv(a, [&](auto) { ++received; }));
        }
    };
    in_threads({forth, back});
    EXPECT_EQ(sent, rounds);
    EXPECT_EQ(received, rounds);
}

/// Also when each names both ends of both, so that any two of the cases may pair off, but never two of one select.
COIR_TEST(select_threads, with_both_ends_of_both_channels_pair_off) {
    channel<int> a, b;
    std::atomic<int> sent{0}, received{0};
    const auto play = [&](int me, channel<int>& first, channel<int>& second) {
        const auto give = [&] { ++sent; };
        const auto take = [&, me](std::optional<int> from) {
            EXPECT_NE(from, me);
            ++received;
        };
        for (int i = 0; i < rounds / 4; ++i) {
            coir::select(on_send(first, me, give), on_recv(second, take), on_send(second, me, give),
                         on_recv(first, take));
        }
    };
    in_threads({[&] { play(1, a, b); }, [&] { play(2, b, a); }});
    EXPECT_EQ(sent, rounds / 4);
    EXPECT_EQ(received, rounds / 4);
}

/// Four that select in circles, with tiny timeouts, otherwise, and ranges: sums are exact.
COIR_TEST(select_threads, with_timeouts_lose_nothing) {
    std::deque<channel<long>> channels;
    for (int i = 0; i < 3; ++i) channels.emplace_back(static_cast<std::size_t>(i));
    std::atomic<long> sent{0}, received{0};
    std::atomic<int> senders{2};
    const auto send = [&](unsigned seed) {
        std::mt19937 random(seed);
        for (int i = 0; i < rounds / 4; ++i) {
            const long v = static_cast<long>(random() % 100);
            const auto limit = std::chrono::microseconds(random() % 50);
            coir::select(on_send(channels[random() % 3], v, [&] { sent += v; }),
                         on_send(channels[random() % 3], v, [&] { sent += v; }), coir::on_timeout(limit));
        }
        if (--senders == 0) {
            for (auto& c : channels) c.close();
        }
    };
    const auto receive = [&](unsigned seed) {
        std::mt19937 random(seed);
        const auto is_open = [](auto& c) { return !c.is_closed() || c.size() != 0; };
        const auto take = [&](std::optional<long> v) { received += v.value_or(0); };
        while (std::ranges::any_of(channels, is_open)) {
            if (random() % 2) {
                std::deque<decltype(on_recv(channels[0], take))> cases;
                for (auto& c : channels) cases.emplace_back(c, take);
                coir::select(cases);
            } else {
                coir::select(on_recv(channels[random() % 3], take), on_recv(channels[random() % 3], take),
                             coir::on_timeout(std::chrono::microseconds(random() % 50)));
            }
        }
    };
    in_threads({[&] { send(1); }, [&] { send(2); }, [&] { receive(3); }, [&] { receive(4); }});
    for (auto& c : channels) {
        while (auto v = c.try_recv()) received += *v;
    }
    EXPECT_EQ(sent, received);
}

COIR_TEST(select_threads, closed_by_another_thread_while_they_select) {
    for (int i = 0; i < rounds / 50; ++i) {
        channel<int> a, b;
        std::atomic<int> told{0}, got{0}, thrown{0};
        const auto receive = [&] {
            const auto take = [&](std::optional<int> v) { ++(v ? got : told); };
            coir::select(on_recv(a, take), on_recv(b, take));
        };
        const auto send = [&] {
            thrown += thrown_by([&] { coir::select(on_send(b, 1), on_send(b, 2)); }) == "channel_closed";
        };
        const auto close = [&] {
            a.close();
            b.close();
        };
        in_threads({receive, send, close});
        EXPECT_EQ(told + got, 1);
        EXPECT_EQ(thrown + got, 1);
    }
}

}  // namespace
