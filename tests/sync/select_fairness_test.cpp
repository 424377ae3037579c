// Of several cases that can go ahead one is taken at random, each as often as the others.
#include "sync/kit.hpp"

#include <array>
#include <deque>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;
using coir::channel;
using coir::on_recv;
using coir::on_send;

constexpr int rounds = 100'000;

void expect_a_share(int count, int of_how_many) {
    EXPECT_GE(count, rounds / of_how_many * 8 / 10);
    EXPECT_LE(count, rounds / of_how_many * 12 / 10);
}

COIR_TEST_WITH(select_fairness, of_two_channels_that_are_always_ready, .in_any_order = false) {
    channel<int> a(1), b(1);
    int taken[2] = {};
    for (int i = 0; i < rounds; ++i) {
        (void)a.try_send(1);
        (void)b.try_send(1);
        coir::select(on_recv(a, [&](auto) { ++taken[0]; }), on_recv(b, [&](auto) { ++taken[1]; }));
    }
    expect_a_share(taken[0], 2);
    expect_a_share(taken[1], 2);
}

/// One that cannot must not leave its share to the one behind it.
COIR_TEST_WITH(select_fairness, of_two_next_to_one_that_is_never_ready, .in_any_order = false) {
    channel<int> a(1), b(1), empty;
    int taken[2] = {};
    for (int i = 0; i < rounds; ++i) {
        (void)a.try_send(1);
        (void)b.try_send(1);
        coir::select(on_recv(a, [&](auto) { ++taken[0]; }), on_recv(empty, [](auto) {}),
                     on_recv(b, [&](auto) { ++taken[1]; }));
    }
    expect_a_share(taken[0], 2);
    expect_a_share(taken[1], 2);
}

COIR_TEST_WITH(select_fairness, of_two_with_a_timeout, .in_any_order = false) {
    channel<int> a(1), b(1);
    int taken[2] = {};
    for (int i = 0; i < rounds; ++i) {
        (void)a.try_send(1);
        (void)b.try_send(1);
        coir::select(on_recv(a, [&](auto) { ++taken[0]; }), on_recv(b, [&](auto) { ++taken[1]; }),
                     coir::on_timeout(1h));
    }
    expect_a_share(taken[0], 2);
    expect_a_share(taken[1], 2);
}

COIR_TEST_WITH(select_fairness, of_sends_and_receives, .in_any_order = false) {
    channel<int> a(1), b(1);
    int sent = 0, received = 0;
    for (int i = 0; i < rounds; ++i) {
        (void)a.try_send(1);
        (void)b.try_recv();
        coir::select(on_recv(a, [&](auto) { ++received; }), on_send(b, 1, [&] { ++sent; }));
    }
    expect_a_share(sent, 2);
    expect_a_share(received, 2);
}

COIR_TEST_WITH(select_fairness, of_a_range, .in_any_order = false) {
    std::deque<channel<int>> channels;
    for (int i = 0; i < 5; ++i) channels.emplace_back(1u);
    std::array<int, 5> taken{};
    for (int i = 0; i < rounds; ++i) {
        for (auto& c : channels) (void)c.try_send(1);
        const auto ignore = [](auto) {};
        std::deque<decltype(on_recv(channels[0], ignore))> cases;
        for (auto& c : channels) cases.emplace_back(c, ignore);
        ++taken[coir::select(cases)];
    }
    for (const int count : taken) expect_a_share(count, 5);
}

}  // namespace
