// Who has had enough of a range neither takes one more nor waits for it.
#include <coir/coir.hpp>
#include <coir/testing.hpp>

#include <ranges>
#include <vector>

namespace {

std::vector<int> collect(auto&& range) {
    std::vector<int> all;
    for (int i : range) all.push_back(i);
    return all;
}

}  // namespace

COIR_TEST(pull_iterator, take_leaves_the_rest_in_a_channel) {
    coir::channel<int> numbers(5);
    for (int i = 1; i <= 5; ++i) numbers.send(i);
    EXPECT_EQ(collect(numbers | std::views::take(2)), (std::vector{1, 2}));
    EXPECT_EQ(numbers.recv(), 3);
}

COIR_TEST(pull_iterator, take_does_not_wait_for_one_more) {
    coir::channel<int> numbers(5);
    numbers.send(1);
    numbers.send(2);
    EXPECT_EQ(collect(numbers | std::views::take(2)), (std::vector{1, 2}));
}

COIR_TEST(pull_iterator, a_generator_is_resumed_only_for_what_is_looked_at) {
    int made = 0;
    coir::generator<int> numbers([&](auto& yield) {
        for (;;) yield(++made);
    });
    EXPECT_EQ(collect(numbers | std::views::take(3)), (std::vector{1, 2, 3}));
    EXPECT_EQ(made, 3);
    EXPECT_EQ(collect(numbers | std::views::take(1)), (std::vector{4}));
}

COIR_TEST(pull_iterator, drop_and_filter_pass_over_elements) {
    coir::channel<int> numbers(9);
    for (int i = 1; i <= 9; ++i) numbers.send(i);
    numbers.close();
    const auto odd = [](int i) { return i % 2 == 1; };
    EXPECT_EQ(collect(numbers | std::views::drop(2) | std::views::filter(odd)), (std::vector{3, 5, 7, 9}));
}

COIR_TEST(pull_iterator, moving_on_without_a_look_passes_over_one) {
    coir::generator<int> numbers([](auto& yield) {
        for (int i = 1; i <= 3; ++i) yield(i);
    });
    auto it = numbers.begin();
    ++it;
    ++it;
    EXPECT_EQ(*it, 3);
    EXPECT_EQ(*it, 3);
    ++it;
    EXPECT_TRUE(it == numbers.end());
}

COIR_TEST(pull_iterator, as_completed_waits_for_no_more_than_was_asked) {
    std::vector<coir::task<int>> tasks;
    coir::event never;
    tasks.push_back(coir::spawn([] { return 1; }));
    tasks.push_back(coir::spawn([&] {
        never.wait();
        return 2;
    }));
    auto ends = coir::as_completed(tasks);
    for (auto& t : ends | std::views::take(1)) EXPECT_EQ(t.get(), 1);
    tasks[1].cancel();
    tasks[1].join();
}
