#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using coir::fiber;
using coir::generator;
using fiber_tests::on_leaving;
using fiber_tests::refusal;
using generators = fiber_tests::clean_test;
using ints = std::vector<int>;

generator<int> count_to(int n) {
    return generator<int>([n](auto& yield) {
        for (int i = 1; i <= n; ++i) yield(i);
    });
}

ints all_of(generator<int>& g) {
    ints found;
    for (int n : g) found.push_back(n);
    return found;
}

TEST_F(generators, next_gives_the_elements_and_then_nothing_ever_after) {
    auto g = count_to(2);
    EXPECT_EQ(g.next(), 1);
    EXPECT_EQ(g.next(), 2);
    EXPECT_EQ(g.next(), std::nullopt);
    EXPECT_EQ(g.next(), std::nullopt);
}

TEST_F(generators, run_nothing_before_the_first_element_is_asked_for) {
    bool ran = false;
    generator<int> g([&](auto& yield) {
        ran = true;
        yield(1);
    });
    EXPECT_FALSE(ran);
    EXPECT_TRUE(coir::detail::this_thread().fibers.empty());
    g.next();
    EXPECT_TRUE(ran);
}

TEST_F(generators, may_be_empty_and_null_bodies_are_refused) {
    EXPECT_EQ(generator<int>([](auto&) {}).next(), std::nullopt);
    void (*none)(generator<int>::yielder&) = nullptr;
    EXPECT_NE(refusal([&] { generator<int>{none}; }), "");
}

TEST_F(generators, are_ranges) {
    static_assert(std::ranges::input_range<generator<int>>);
    static_assert(!std::is_copy_constructible_v<generator<int>>);
    auto g = count_to(4);
    EXPECT_EQ(all_of(g), ints({1, 2, 3, 4}));
    EXPECT_EQ(all_of(g), ints()) << "used up";
    auto h = count_to(3);
    for (int n : h) {
        if (n == 2) break;
    }
    EXPECT_EQ(all_of(h), ints({3})) << "the elements that are left";
    auto algorithm = count_to(10);
    EXPECT_EQ(std::ranges::count_if(algorithm, [](int n) { return n % 2 == 0; }), 5);
}

TEST_F(generators, work_with_views) {
    auto endless = generator<int>([](auto& yield) {
        for (int i = 0;; ++i) yield(i);
    });
    ints found;
    for (int n : endless | std::views::filter([](int i) { return i % 3 == 0; }) |
                     std::views::transform([](int i) { return i * i; }) | std::views::take(4)) {
        found.push_back(n);
    }
    EXPECT_EQ(found, ints({0, 9, 36, 81}));
    found.clear();
    for (int n : count_to(9) | std::views::take(2)) found.push_back(n);
    EXPECT_EQ(found, ints({1, 2}));
}

TEST_F(generators, yield_from_ranges_and_other_generators) {
    generator<int> g([](auto& yield) {
        yield(1);
        yield.from(count_to(2));
        yield.from(ints{7, 8});
        auto named = count_to(1);
        yield.from(named);
        yield.from(std::views::iota(3, 5));
    });
    EXPECT_EQ(all_of(g), ints({1, 1, 2, 7, 8, 1, 3, 4}));
}

TEST_F(generators, elements_may_be_move_only_and_are_moved_out) {
    generator<std::unique_ptr<int>> g([](auto& yield) {
        auto p = std::make_unique<int>(1);
        yield(std::move(p));
        EXPECT_EQ(p, nullptr);
        yield(std::make_unique<int>(2));
    });
    std::unique_ptr<int> first = *g.next();
    EXPECT_EQ(*first, 1);
    for (auto& p : g) EXPECT_EQ(*p, 2);
}

TEST_F(generators, errors_cross_to_the_consumer_and_end_it) {
    generator<int> g([](auto& yield) {
        yield(1);
        throw std::runtime_error("from the body");
    });
    EXPECT_EQ(g.next(), 1);
    EXPECT_THROW(g.next(), std::runtime_error);
    EXPECT_EQ(g.next(), std::nullopt);
}

TEST_F(generators, errors_cross_several_layers) {
    generator<int> g([](auto& yield) {
        yield.from(generator<int>([](auto& inner) {
            inner(1);
            throw 5;
        }));
    });
    EXPECT_EQ(g.next(), 1);
    EXPECT_THROW(g.next(), int);
}

TEST_F(generators, dropping_one_half_way_unwinds_the_body_at_once) {
    int left = 0;
    auto g = std::make_unique<generator<int>>([&](auto& yield) {
        const on_leaving outer(left), inner(left);
        for (;;) yield(1);
    });
    g->next();
    EXPECT_EQ(left, 0);
    g.reset();
    EXPECT_EQ(left, 2);
}

TEST_F(generators, a_dropped_body_that_yields_again_is_told_again) {
    int exits = 0;
    {
        generator<int> g([&](auto& yield) {
            while (exits < 5) {
                try {
                    yield(1);
                } catch (const coir::fiber_exit&) {
                    ++exits;
                }
            }
        });
        g.next();
    }
    EXPECT_EQ(exits, 5);
}

TEST_F(generators, may_change_hands_between_consumers) {
    const fiber main = fiber::current();
    auto g = count_to(4);
    ints first, second;
    auto consumer = [&](ints& found) {
        return fiber([&] {
            for (int i = 0; i < 2; ++i) {
                found.push_back(*g.next());
                main.switch_to();
            }
        });
    };
    fiber a = consumer(first), b = consumer(second);
    for (int i = 0; i < 2; ++i) a.switch_to(), b.switch_to();
    EXPECT_EQ(first, ints({1, 3}));
    EXPECT_EQ(second, ints({2, 4}));
    EXPECT_EQ(g.next(), std::nullopt);
}

TEST_F(generators, an_error_goes_to_the_consumer_of_that_step) {
    auto thrower = generator<int>([](auto& yield) {
        yield(1);
        throw 7;
    });
    fiber([&] { EXPECT_EQ(thrower.next(), 1); }).switch_to();
    fiber([&] { EXPECT_THROW(thrower.next(), int); }).switch_to();
}

TEST_F(generators, a_second_consumer_is_refused_while_one_waits) {
    const fiber main = fiber::current();
    fiber gate;
    generator<int> g([&](auto& yield) {
        main.switch_to();
        yield(1);
    });
    std::optional<int> got;
    fiber consumer([&] { got = g.next(); });
    consumer.switch_to();
    EXPECT_NE(refusal([&] { g.next(); }), "");
    // The body goes on where it was left by hand, and its element goes to the one that waits.
    coir::detail::fiber_core* body = consumer.core()->switched_to;
    ASSERT_NE(body, nullptr);
    fiber(coir::detail::ref<coir::detail::fiber_core>(body)).switch_to();
    EXPECT_EQ(got, 1);
}

TEST_F(generators, asking_from_inside_the_body_is_refused) {
    std::unique_ptr<generator<int>> g;
    std::string text;
    g = std::make_unique<generator<int>>([&](auto& yield) {
        text = refusal([&] { g->next(); });
        yield(3);
    });
    EXPECT_EQ(g->next(), 3);
    EXPECT_NE(text, "");
}

TEST_F(generators, belong_to_the_thread_that_takes_the_first_element) {
    auto here = count_to(2), there = count_to(2);
    EXPECT_EQ(here.next(), 1);
    std::thread([&] {
        EXPECT_NE(refusal([&] { here.next(); }), "");
        EXPECT_EQ(all_of(there), ints({1, 2}));
    }).join();
    EXPECT_EQ(here.next(), 2);
}

TEST_F(generators, moving_one_takes_the_body_along) {
    auto g = count_to(3);
    EXPECT_EQ(g.next(), 1);
    generator<int> h = std::move(g);
    EXPECT_EQ(h.next(), 2);
    EXPECT_EQ(g.next(), std::nullopt);
    g = std::move(h);
    EXPECT_EQ(g.next(), 3);
}

void permute(ints& items, std::size_t from, generator<ints>::yielder& yield) {
    if (from == items.size()) return yield(items);
    for (std::size_t i = from; i < items.size(); ++i) {
        std::swap(items[from], items[i]);
        permute(items, from + 1, yield);
        std::swap(items[from], items[i]);
    }
}

TEST_F(generators, yield_from_any_depth_of_calls) {
    generator<ints> g([items = ints{1, 2, 3, 4, 5}](auto& yield) mutable { permute(items, 0, yield); });
    std::vector<ints> found;
    for (ints& permutation : g) found.push_back(std::move(permutation));
    EXPECT_EQ(found.size(), 120u);
    std::ranges::sort(found);
    EXPECT_EQ(std::ranges::adjacent_find(found), found.end());
}

generator<int> layers(int depth) {
    return generator<int>([depth](auto& yield) {
        if (depth == 0) return yield(0);
        for (int n : layers(depth - 1)) yield(n + 1);
        yield(depth);
    });
}

TEST_F(generators, nest_in_many_layers) {
    auto g = layers(50);
    ints found = all_of(g);
    EXPECT_EQ(found.size(), 51u);
    EXPECT_TRUE(std::ranges::all_of(found, [](int n) { return n == 50; }));
}

TEST_F(generators, a_tree_is_walked_in_order) {
    auto walk = [](auto& self, int low, int high, auto& yield) -> void {
        if (low > high) return;
        const int middle = (low + high) / 2;
        self(self, low, middle - 1, yield);
        yield(middle);
        self(self, middle + 1, high, yield);
    };
    generator<int> g([&](auto& yield) { walk(walk, 0, 999, yield); });
    ints expected(1000);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(all_of(g), expected);
}

}  // namespace
