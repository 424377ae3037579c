#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using coir::fiber;
using coir::fiber_local;
using fiber_tests::at_exit;
using fiber_tests::on_leaving;
using fiber_local_values = fiber_tests::clean_test;

TEST_F(fiber_local_values, are_a_fibers_own_and_not_inherited) {
    const fiber main = fiber::current();
    fiber_local<int> number;
    number = 1;
    auto body = [&] {
        const int first = *number;
        number = 7;
        main.switch_to();
        return first * 100 + *number;
    };
    fiber a(body), b(body);
    a.switch_to();
    b.switch_to();
    EXPECT_EQ(a.switch_to().as<int>(), 7);
    EXPECT_EQ(b.switch_to().as<int>(), 7);
    EXPECT_EQ(*number, 1);
}

TEST_F(fiber_local_values, are_made_at_first_use_by_the_given_function) {
    int made = 0;
    fiber_local<std::string> text([&] { return "made " + std::to_string(++made); });
    EXPECT_EQ(made, 0);
    EXPECT_EQ(*text, "made 1");
    EXPECT_EQ(text->size(), 6u);
    EXPECT_EQ(made, 1);
    EXPECT_EQ(fiber([&] { return *text; }).switch_to().as<std::string>(), "made 2");
}

TEST_F(fiber_local_values, an_error_of_the_given_function_arrives_and_leaves_none) {
    bool fail = true;
    fiber_local<int> number([&] { return fail ? throw std::runtime_error("no") : 4; });
    EXPECT_THROW(number.get(), std::runtime_error);
    fail = false;
    EXPECT_EQ(number.get(), 4);
}

TEST_F(fiber_local_values, are_destroyed_with_their_fiber_on_its_own_stack) {
    fiber destroyed_on;
    int left = 0;
    auto note = [&] { destroyed_on = fiber::current(); };
    fiber_local<std::unique_ptr<at_exit<decltype(note)>>> local;
    fiber_local<std::unique_ptr<on_leaving>> counter;
    fiber f([&] {
        *local = std::make_unique<at_exit<decltype(note)>>(note);
        *counter = std::make_unique<on_leaving>(left);
        EXPECT_EQ(left, 0);
    });
    f.switch_to();
    EXPECT_EQ(destroyed_on, f);
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_local_values, are_destroyed_when_the_fiber_is_dropped) {
    const fiber main = fiber::current();
    int left = 0;
    fiber_local<std::unique_ptr<on_leaving>> counter;
    fiber f([&] {
        *counter = std::make_unique<on_leaving>(left);
        main.switch_to();
    });
    f.switch_to();
    f = {};
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_local_values, go_youngest_first_with_those_that_destructors_make) {
    std::string order;
    fiber_local<std::string> late;
    auto note = [&](const char* name) { return [&order, name] { order += name; }; };
    using noted = at_exit<std::function<void()>>;
    fiber_local<std::unique_ptr<noted>> a, b;
    fiber([&] {
        *a = std::make_unique<noted>([&, says = note("a")] {
            says();
            *late = "made while dying, and destroyed all the same";
        });
        *b = std::make_unique<noted>(note("b"));
    }).switch_to();
    EXPECT_EQ(order, "ba");
}

TEST_F(fiber_local_values, outlive_the_variable) {
    const fiber main = fiber::current();
    int left = 0;
    fiber f([&] {
        {
            fiber_local<std::unique_ptr<on_leaving>> counter;
            *counter = std::make_unique<on_leaving>(left);
        }
        main.switch_to();
    });
    f.switch_to();
    EXPECT_EQ(left, 0);
    f.switch_to();
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_local_values, of_a_threads_main_fiber_go_with_the_thread) {
    int left = 0;
    fiber_local<std::unique_ptr<on_leaving>> counter;
    std::thread([&] {
        *counter = std::make_unique<on_leaving>(left);
        EXPECT_EQ(left, 0);
    }).join();
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_local_values, many_variables_in_many_fibers) {
    const fiber main = fiber::current();
    std::vector<std::unique_ptr<fiber_local<int>>> variables;
    for (int i = 0; i < 50; ++i) variables.push_back(std::make_unique<fiber_local<int>>());
    std::vector<fiber> fibers;
    for (int f = 0; f < 50; ++f) {
        fibers.emplace_back([&, f] {
            for (int i = 0; i < 50; ++i) *variables[i] = f * 100 + i;
            main.switch_to();
            int right = 0;
            for (int i = 0; i < 50; ++i) right += **variables[i] == f * 100 + i;
            return right;
        });
        fibers.back().switch_to();
    }
    for (const fiber& f : fibers) EXPECT_EQ(f.switch_to().as<int>(), 50);
}

}  // namespace
