// White box: the radix heap against a sorted multimap.
#include "hub/timer_queue.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace {

using coir::detail::timer;
using coir::detail::timer_queue;

struct entry final : timer {
    void expire() noexcept override {}
    int number = 0;
};

TEST(timer_queue, an_empty_one_is_never_due) {
    timer_queue queue;
    EXPECT_EQ(queue.next_due(), timer_queue::never);
    EXPECT_EQ(queue.pop_due(timer_queue::never - 1), nullptr);
    EXPECT_EQ(queue.size(), 0u);
}

TEST(timer_queue, equal_deadlines_are_first_in_first_out) {
    timer_queue queue;
    std::vector<entry> entries(100'000);
    for (entry& e : entries) queue.arm(e, 1'000'000);
    EXPECT_EQ(queue.pop_due(999'999), nullptr);
    for (entry& e : entries) ASSERT_EQ(queue.pop_due(1'000'000), &e);
    EXPECT_EQ(queue.size(), 0u);
}

TEST(timer_queue, the_past_is_due_at_once) {
    timer_queue queue;
    entry first, late, older;
    queue.arm(first, 5'000);
    EXPECT_EQ(queue.pop_due(10'000), &first);
    queue.arm(late, 3);
    queue.arm(older, 0);
    EXPECT_EQ(queue.pop_due(10'000), &late);
    EXPECT_EQ(queue.pop_due(10'000), &older);
}

TEST(timer_queue, far_deadlines_keep_their_order_and_their_time) {
    timer_queue queue;
    entry month, max, now;
    queue.arm(max, timer_queue::never - 1);
    queue.arm(month, std::int64_t{30} * 86'400 * 1'000'000'000);
    queue.arm(now, 0);
    EXPECT_EQ(queue.pop_due(1), &now);
    EXPECT_EQ(queue.pop_due(1'000), nullptr);
    EXPECT_EQ(queue.pop_due(timer_queue::never - 2), &month);
    EXPECT_EQ(queue.pop_due(timer_queue::never - 2), nullptr);
    EXPECT_EQ(queue.pop_due(timer_queue::never - 1), &max);
}

TEST(timer_queue, next_due_is_never_late) {
    timer_queue queue;
    std::mt19937_64 random(3);
    std::vector<entry> entries(1'000);
    std::multimap<std::int64_t, entry*> model;
    for (entry& e : entries) {
        const auto due = static_cast<std::int64_t>(random() % 1'000'000'000);
        queue.arm(e, due);
        model.emplace(due, &e);
    }
    while (!model.empty()) {
        const std::int64_t wake = queue.next_due();
        ASSERT_LE(wake, model.begin()->first);
        while (timer* t = queue.pop_due(wake)) {
            ASSERT_EQ(t, model.begin()->second);
            model.erase(model.begin());
        }
    }
    EXPECT_EQ(queue.next_due(), timer_queue::never);
}

/// Arms, cancels, advances, and arms or cancels while timers are being taken out.
TEST(timer_queue, a_million_random_actions_agree_with_a_multimap) {
    using model_type = std::multimap<std::int64_t, entry*>;
    std::mt19937_64 random(1);
    timer_queue queue;
    model_type model;
    std::vector<entry> entries(3'000);
    std::vector<model_type::iterator> places(entries.size(), model.end());
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i].number = static_cast<int>(i);
    std::int64_t now = 1'000'000'000;
    for (int step = 0; step < 1'000'000; ++step) {
        const std::size_t i = random() % entries.size();
        entry& e = entries[i];
        const auto action = random() % 16;
        if (action < 10) {
            if (e.is_linked()) continue;
            const unsigned scale = static_cast<unsigned>(random() % 45);
            const auto ahead = static_cast<std::int64_t>(random() & ((std::uint64_t{1} << scale) - 1));
            queue.arm(e, now + (random() % 4 == 0 ? ahead & ~std::int64_t{1023} : ahead));
            places[i] = model.emplace(e.due, &e);
        } else if (action < 15) {
            if (!e.is_linked()) continue;
            queue.cancel(e);
            model.erase(places[i]);
        } else {
            now += static_cast<std::int64_t>(random() % 100'000);
            while (timer* t = queue.pop_due(now)) {
                ASSERT_LE(t->due, now) << "early";
                ASSERT_FALSE(model.empty());
                ASSERT_EQ(model.begin()->second, t) << "out of order at step " << step;
                model.erase(model.begin());
            }
            ASSERT_TRUE(model.empty() || model.begin()->first > now) << "late";
        }
        ASSERT_EQ(queue.size(), model.size());
    }
    queue.cancel_if([](const timer&) { return true; });
    EXPECT_EQ(queue.size(), 0u);
    EXPECT_EQ(queue.next_due(), timer_queue::never);
}

}  // namespace
