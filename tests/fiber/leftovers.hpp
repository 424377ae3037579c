// What the tests of this floor share: the proof at the end of each that nothing is left over.
#pragma once

#include "fiber/thread_state.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <string>

namespace fiber_tests {

/// Nothing is left of the fibers of this thread.
class leftovers {
public:
    leftovers() : stacks_(coir::detail::this_thread().stacks.in_use()) {}
    leftovers(const leftovers&) = delete;
    leftovers& operator=(const leftovers&) = delete;
    ~leftovers() {
        coir::detail::thread_state& thread = coir::detail::this_thread();
        EXPECT_TRUE(thread.fibers.empty()) << "a fiber is left over";
        EXPECT_EQ(thread.stacks.in_use(), stacks_) << "stacks are left over";
        EXPECT_EQ(thread.current, thread.main);
        EXPECT_EQ(thread.corpse, nullptr);
        EXPECT_EQ(thread.main->switcher, nullptr);
        EXPECT_EQ(thread.main->switched_to, nullptr);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        EXPECT_EQ(std::current_exception(), nullptr);
    }

private:
    std::size_t stacks_;
};

/// Every test of a suite with this fixture ends with that proof.
class clean_test : public ::testing::Test {
    leftovers none_;
};

/// Counts how often a scope is left.
class on_leaving {
public:
    explicit on_leaving(int& times) : times_(times) {}
    on_leaving(const on_leaving&) = delete;
    on_leaving& operator=(const on_leaving&) = delete;
    ~on_leaving() { ++times_; }

private:
    int& times_;
};

/// Runs something as the scope is left, in a destructor.
template <class F>
class at_exit {
public:
    explicit at_exit(F f) : f_(f) {}
    at_exit(const at_exit&) = delete;
    at_exit& operator=(const at_exit&) = delete;
    ~at_exit() { f_(); }

private:
    F f_;
};

/// The text of the coir::fiber_error that `call` throws; empty when it throws none.
template <class Call>
std::string refusal(Call call) {
    try {
        call();
    } catch (const coir::fiber_error& e) {
        return e.what();
    }
    return {};
}

}  // namespace fiber_tests
