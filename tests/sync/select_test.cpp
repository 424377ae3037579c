#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;
using coir::channel;
using coir::on_recv;
using coir::on_send;
using coir::on_timeout;
using coir::otherwise;

/// A case that must not go ahead.
constexpr auto never = [](auto&&...) { ADD_FAILURE() << "another case went ahead as well"; };
constexpr auto nothing = [](auto&&...) {};

COIR_TEST(select, gives_the_place_of_the_case_that_went_ahead_and_calls_its_function) {
    channel<int> a(1), b(1), full(0);
    b.send(5);
    std::optional<int> got;
    EXPECT_EQ(coir::select(on_recv(a, never), on_recv(b, [&](auto v) { got = v; }), on_send(full, 1, never)), 1u);
    EXPECT_EQ(got, 5);
    bool sent = false;
    EXPECT_EQ(coir::select(on_recv(b, never), on_send(a, 6, [&] { sent = true; })), 1u);
    EXPECT_TRUE(sent);
    EXPECT_EQ(a.recv(), 6);
}

COIR_TEST(select, waits_until_one_can_go_ahead) {
    channel<int> a, b;
    std::string got;
    auto t = coir::spawn([&] {
        for (int i = 0; i < 2; ++i) {
            coir::select(on_recv(a, [&](auto v) { got += "a" + std::to_string(*v); }),
                         on_recv(b, [&](auto v) { got += "b" + std::to_string(*v); }));
        }
    });
    until_parked(t);
    EXPECT_TRUE(b.try_send(1));
    run_until_parked();
    EXPECT_EQ(got, "b1");
    a.send(2);
    t.get();
    EXPECT_EQ(got, "b1a2");
    EXPECT_FALSE(a.try_send(3)) << "it stands in no queue any more";
    EXPECT_FALSE(b.try_send(3));
}

/// Neither an item is taken, nor one given, but by the case that went ahead.
COIR_TEST(select, exactly_one_goes_ahead_and_the_others_are_untouched) {
    channel<std::unique_ptr<int>> in(2), also_in(2), out(2);
    for (int round = 0; round < 30; ++round) {
        while (in.size() < 1) in.send(std::make_unique<int>(1));
        while (also_in.size() < 1) also_in.send(std::make_unique<int>(2));
        while (out.size() > 0) (void)out.recv();
        int calls = 0;
        const std::size_t chosen = coir::select(on_recv(in, [&](auto v) { calls += v && **v == 1; }),
                                                on_recv(also_in, [&](auto v) { calls += v && **v == 2; }),
                                                on_send(out, std::make_unique<int>(3), [&] { ++calls; }));
        EXPECT_EQ(calls, 1);
        EXPECT_EQ(in.size(), chosen == 0 ? 0u : 1u);
        EXPECT_EQ(also_in.size(), chosen == 1 ? 0u : 1u);
        EXPECT_EQ(out.size(), chosen == 2 ? 1u : 0u);
    }
}

COIR_TEST(select, woken_by_several_at_once_only_the_first_of_them_has_happened) {
    channel<int> a, b;
    std::string got;
    auto t = coir::spawn(
        [&] { coir::select(on_recv(a, [&](auto) { got += "a"; }), on_recv(b, [&](auto) { got += "b"; })); });
    until_parked(t);
    EXPECT_TRUE(a.try_send(1));
    EXPECT_FALSE(b.try_send(2)) << "its turn is over";
    t.get();
    EXPECT_EQ(got, "a");
}

COIR_TEST(select, does_not_keep_its_place_before_others_once_it_has_gone_ahead) {
    channel<int> a, b;
    std::optional<int> got;
    auto selecting = coir::spawn([&] { coir::select(on_recv(a, nothing), on_recv(b, never)); });
    until_parked(selecting);
    auto receiver = coir::spawn([&] { got = b.recv(); });
    until_parked(receiver);
    EXPECT_TRUE(a.try_send(1));
    EXPECT_TRUE(b.try_send(2)) << "to the one behind it";
    receiver.get();
    selecting.get();
    EXPECT_EQ(got, 2);
}

COIR_TEST(select, one_channel_in_several_cases) {
    channel<int> c;
    std::string got;
    auto t = coir::spawn([&] {
        coir::select(on_recv(c, [&](auto) { got += "1"; }), on_recv(c, [&](auto) { got += "2"; }),
                     on_recv(c, [&](auto) { got += "3"; }));
    });
    until_parked(t);
    EXPECT_TRUE(c.try_send(1));
    EXPECT_FALSE(c.try_send(2));
    t.get();
    EXPECT_EQ(got.size(), 1u);
}

/// Both ends of one rendezvous: it is no peer of itself.
COIR_TEST(select, does_not_meet_itself) {
    channel<int> c;
    EXPECT_EQ(coir::select(on_send(c, 1, never), on_recv(c, never), otherwise()), 2u);
    std::optional<int> got;
    auto t = coir::spawn([&] { return coir::select(on_send(c, 1), on_recv(c, [&](auto v) { got = v; })); });
    until_parked(t);
    EXPECT_FALSE(t.done());
    EXPECT_TRUE(c.try_send(2));
    EXPECT_EQ(t.get(), 1u);
    EXPECT_EQ(got, 2);
    t = coir::spawn([&] { return coir::select(on_send(c, 3), on_recv(c, never)); });
    until_parked(t);
    EXPECT_EQ(c.try_recv(), 3);
    EXPECT_EQ(t.get(), 0u);
    EXPECT_FALSE(c.try_send(4));
}

COIR_TEST(select, two_of_them_meet_each_other) {
    channel<int> a, b;
    int given = 0, taken = 0;
    const auto both = [&](channel<int>& first, channel<int>& second) {
        coir::select(on_send(first, 1, [&] { ++given; }), on_recv(second, [&](auto) { ++taken; }));
    };
    for (int round = 0; round < 10; ++round) {
        auto one = coir::spawn([&] { both(a, b); });
        auto other = coir::spawn([&] { both(b, a); });
        one.get();
        other.get();
    }
    EXPECT_EQ(given, 10);
    EXPECT_EQ(taken, 10);
}

/// Ten that send or receive on the same channel: they pair off, nobody with itself.
COIR_TEST(select, many_with_both_ends_of_one_channel_pair_off) {
    channel<int> c;
    int given = 0, taken = 0;
    tasks all;
    for (int i = 0; i < 10; ++i) {
        all.push_back(coir::spawn([&, i] {
            coir::select(on_send(c, i, [&] { ++given; }), on_recv(c, [&, i](auto v) {
                             ++taken;
                             EXPECT_NE(v, i);
                         }));
        }));
    }
    get_all(all);
    EXPECT_EQ(given, 5);
    EXPECT_EQ(taken, 5);
}

COIR_TEST(select, a_timeout_is_never_early_and_the_earliest_counts) {
    const virtual_clock clock;
    channel<int> c;
    EXPECT_EQ(coir::select(on_timeout(9ms, never), on_recv(c, never), on_timeout(3ms, nothing)), 2u);
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_EQ(coir::select(on_timeout(2ms)), 0u) << "alone it is a sleep";
    EXPECT_EQ(clock.elapsed(), 5ms);
    EXPECT_EQ(coir::select(on_timeout(coir::deadline::after(-1s))), 0u);
    auto t = coir::spawn([&] { c.send(1); });
    until_parked(t);
    EXPECT_EQ(coir::select(on_timeout(0s, never), on_recv(c, nothing)), 1u) << "what can go ahead at once does";
    t.get();
}

COIR_TEST(select, otherwise_never_suspends) {
    channel<int> c(1);
    bool others_ran = false;
    auto t = coir::spawn([&] { others_ran = true; });
    EXPECT_EQ(coir::select(on_recv(c, never), otherwise()), 1u);
    EXPECT_EQ(coir::select(otherwise()), 0u);
    EXPECT_EQ(coir::select(on_timeout(0s, never), otherwise()), 1u);
    c.send(1);
    EXPECT_EQ(coir::select(otherwise(never), on_recv(c, nothing)), 1u);
    EXPECT_FALSE(others_ran);
    t.get();
}

COIR_TEST(select, a_closed_channel_can_always_be_received_from_and_never_sent_into) {
    channel<int> c(1);
    c.send(1);
    c.close();
    std::vector<std::optional<int>> got;
    for (int i = 0; i < 2; ++i) coir::select(on_recv(c, [&](auto v) { got.push_back(v); }));
    EXPECT_EQ(got, (std::vector<std::optional<int>>{1, std::nullopt}));
    EXPECT_EQ(thrown_by([&] { coir::select(on_send(c, 2, never)); }), "channel_closed");
    EXPECT_EQ(thrown_by([&] { coir::select(on_send(c, 2, never), otherwise(never)); }), "channel_closed");
}

COIR_TEST(select, closed_while_it_waits) {
    channel<int> in, out, other;
    bool told = false;
    auto receiving = coir::spawn([&] { coir::select(on_recv(in, [&](auto v) { told = !v; }), on_recv(other, never)); });
    auto sending = coir::spawn([&] { coir::select(on_send(out, 1, never), on_recv(other, never)); });
    until_parked(receiving);
    until_parked(sending);
    in.close();
    out.close();
    receiving.get();
    EXPECT_TRUE(told);
    EXPECT_EQ(thrown_by([&] { sending.get(); }), "channel_closed");
    EXPECT_FALSE(other.try_send(1));
}

COIR_TEST(select, a_cancellation_or_a_timeout_scope_takes_and_gives_nothing) {
    const virtual_clock clock;
    channel<int> in, out;
    const auto wait = [&] { coir::select(on_recv(in, never), on_send(out, 1, never)); };
    auto cancelled = coir::spawn(wait);
    auto limited = coir::spawn([&] { EXPECT_EQ(thrown_by([&] { coir::wait_for(3ms, wait); }), "timed_out"); });
    until_parked(cancelled);
    until_parked(limited);
    cancelled.cancel();
    limited.get();
    EXPECT_EQ(clock.elapsed(), 3ms);
    EXPECT_FALSE(in.try_send(1));
    EXPECT_EQ(out.try_recv(), std::nullopt);
    cancelled.join();
    EXPECT_TRUE(cancelled.was_cancelled());
}

COIR_TEST(select, given_an_item_and_cancelled_in_one_round_it_has_the_item) {
    channel<int> a, b;
    std::optional<int> got;
    auto t = coir::spawn([&] {
        coir::select(on_recv(a, [&](auto v) { got = v; }), on_recv(b, never));
        yield();
        ADD_FAILURE();
    });
    until_parked(t);
    EXPECT_TRUE(a.try_send(1));
    t.cancel();
    t.join();
    EXPECT_EQ(got, 1);
}

COIR_TEST(select, given_an_item_in_the_round_of_its_timeout_it_has_the_item) {
    virtual_clock clock(virtual_clock::jumps::never);
    channel<int> a;
    std::optional<int> got;
    auto t = coir::spawn([&] { coir::select(on_timeout(1ms, never), on_recv(a, [&](auto v) { got = v; })); });
    until_parked(t);
    clock.advance(1ms);
    EXPECT_TRUE(a.try_send(1));
    t.get();
    EXPECT_EQ(got, 1);
}

COIR_TEST(select, over_a_range_of_cases) {
    std::deque<channel<int>> channels(5);
    std::string got;
    auto t = coir::spawn([&] {
        const auto take = [&](std::optional<int> v) { got += std::to_string(*v); };
        std::deque<decltype(on_recv(channels[0], take))> cases;
        for (auto& c : channels) cases.emplace_back(c, take);
        return coir::select(cases);
    });
    until_parked(t);
    EXPECT_TRUE(channels[3].try_send(7));
    EXPECT_EQ(t.get(), 3u);
    EXPECT_EQ(got, "7");
    for (auto& c : channels) EXPECT_FALSE(c.try_send(1));
}

/// A loop over the same cases, which cannot be moved, is what one writes to merge many channels.
COIR_TEST(select, the_cases_of_a_range_may_be_used_again) {
    std::deque<channel<int>> channels(3);
    std::vector<std::optional<int>> got;
    const auto take = [&](std::optional<int> v) { got.push_back(v); };
    std::deque<decltype(on_recv(channels[0], take))> cases;
    for (auto& c : channels) cases.emplace_back(c, take);
    auto t = coir::spawn([&] {
        for (int i = 0; i < 4; ++i) coir::select(cases);
    });
    for (int i = 0; i < 4; ++i) channels[static_cast<std::size_t>(i % 2)].send(i);
    t.get();
    EXPECT_EQ(got, (std::vector<std::optional<int>>{0, 1, 2, 3}));
}

COIR_TEST(select, one_case_twice_is_told) {
    coir::channel<int> c(1);
    auto receive = coir::on_recv(c, [](auto) {});
    EXPECT_THROW(coir::select(receive, receive), coir::fiber_error);
    c.send(1);
    EXPECT_EQ(coir::select(receive), 0u);
}

COIR_TEST(select, a_case_is_left_out_when_its_condition_does_not_hold) {
    coir::channel<int> open(1), closed(1);
    closed.close();
    open.send(3);
    int got = 0;
    for (int i = 0; i < 20; ++i) {
        open.try_send(3);
        coir::select(coir::on_recv(closed, [](auto) { ADD_FAILURE(); }).when(false),
                     coir::on_recv(open, [&](auto n) { got += *n; }));
    }
    EXPECT_EQ(got, 60);
    EXPECT_EQ(coir::select(coir::on_recv(open, [](auto) {}).when(false), coir::otherwise()), 1u);
}

COIR_TEST(select, without_any_case_is_told) {
    EXPECT_EQ(thrown_by([] { coir::select(); }), "fiber_error");
    std::deque<coir::detail::recv_case<int, decltype(nothing)>> none;
    EXPECT_EQ(thrown_by([&] { coir::select(none); }), "fiber_error");
}

COIR_TEST(select, what_a_function_throws_is_thrown_and_what_it_received_is_its_own) {
    channel<int> c(1);
    c.send(1);
    EXPECT_EQ(thrown_by([&] { coir::select(on_recv(c, [](auto) { throw std::runtime_error("broken"); })); }), "broken");
    EXPECT_EQ(c.size(), 0u);
    EXPECT_EQ(thrown_by([&] { coir::select(on_timeout(0s, [] { throw std::runtime_error("late"); })); }), "late");
}

COIR_TEST(select, a_function_may_suspend_and_select_again) {
    channel<int> c, d;
    std::string got;
    auto t = coir::spawn([&] {
        coir::select(on_recv(c,
                             [&](auto v) {
                                 got += std::to_string(*v);
                                 yield();
                                 coir::select(on_recv(c, [&](auto w) { got += std::to_string(*w); }),
                                              on_recv(d, never));
                             }),
                     on_recv(d, never));
    });
    c.send(1);
    c.send(2);
    t.get();
    EXPECT_EQ(got, "12");
}

COIR_TEST(select, a_posted_function_may_select_with_otherwise_only) {
    channel<int> c;
    EXPECT_EQ(thrown_when_posted([&] { coir::select(on_recv(c, never)); }), "fiber_error");
    EXPECT_EQ(thrown_when_posted([&] { coir::select(on_recv(c, never), otherwise()); }), "");
    EXPECT_FALSE(c.try_send(1));
}

}  // namespace
