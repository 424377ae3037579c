// Tasks that are started where another one ends, on its stack: nothing of it is left there.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <cerrno>
#include <cfenv>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using task_tests::thrown_by;

class succession : public task_tests::clean_test {
protected:
    void TearDown() override { std::fesetround(FE_TONEAREST); }
};

TEST_F(succession, a_task_starts_with_the_rounding_mode_of_the_main_fiber) {
    std::vector<int> seen;
    const auto look_and_change = [&](int mode) {
        seen.push_back(std::fegetround());
        std::fesetround(mode);
    };
    std::vector<coir::task<void>> tasks;
    for (int mode : {FE_UPWARD, FE_TOWARDZERO, FE_DOWNWARD}) tasks.push_back(coir::spawn(look_and_change, mode));
    for (auto& t : tasks) t.join();
    EXPECT_EQ(seen, std::vector<int>(3, FE_TONEAREST));

    std::fesetround(FE_UPWARD);
    auto one = coir::spawn(look_and_change, FE_DOWNWARD);
    auto other = coir::spawn(look_and_change, FE_DOWNWARD);
    one.join(), other.join();
    EXPECT_EQ(seen, (std::vector<int>{FE_TONEAREST, FE_TONEAREST, FE_TONEAREST, FE_UPWARD, FE_UPWARD}));
    EXPECT_EQ(std::fegetround(), FE_UPWARD);
}

TEST_F(succession, so_does_one_that_is_started_when_the_other_has_been_joined) {
    const auto look_and_change = [](int mode) {
        const int seen = std::fegetround();
        std::fesetround(mode);
        return seen;
    };
    for (int mains : {FE_TONEAREST, FE_UPWARD, FE_TONEAREST}) {
        std::fesetround(mains);
        EXPECT_EQ(coir::spawn(look_and_change, FE_TOWARDZERO).get(), mains);
        EXPECT_EQ(coir::spawn(look_and_change, mains).get(), mains);
        EXPECT_EQ(coir::spawn([&] {
                      std::fesetround(FE_DOWNWARD);
                      const int first = coir::spawn(look_and_change, FE_TOWARDZERO).get();
                      EXPECT_EQ(coir::spawn(look_and_change, FE_TOWARDZERO).get(), first);
                      EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
                      return first;
                  }).get(),
                  mains);
        EXPECT_EQ(std::fegetround(), mains);
    }
}

/// What it traps is its own affair, also if the flags of the thread say that it has happened since.
TEST_F(succession, an_unmasked_exception_of_the_one_before_does_not_trap) {
    coir::spawn([] { feenableexcept(FE_DIVBYZERO); }).join();
    volatile long double one = 1, zero = 0;
    const volatile long double infinite = one / zero;
    EXPECT_GT(infinite, 1);
    EXPECT_EQ(coir::spawn([] { return fegetexcept(); }).get(), 0);
    std::feclearexcept(FE_ALL_EXCEPT);
}

/// The next task does not go on in frames whose pages are gone.
TEST_F(succession, the_stack_of_the_one_before_may_have_been_given_back) {
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(coir::spawn([i] { return i; }).get(), i);
        for (int trims = i % 3; trims > 0; --trims) coir::hub::current().trim();
        if (i % 4 == 0) coir::fiber([](coir::value sent) { return sent; }).switch_to();  // not where a task has ended
    }
}

TEST_F(succession, errno_and_exceptions_in_flight_are_its_own) {
    std::vector<std::string> wrong;
    const auto leave_behind = [&](int i) {
        if (errno != 0) wrong.push_back("errno of " + std::to_string(i));
        if (std::current_exception() || std::uncaught_exceptions() != 0) wrong.push_back("exception");
        errno = EDOM;
        if (i % 2) throw std::runtime_error(std::to_string(i));
    };
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(coir::spawn(leave_behind, i));
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(thrown_by([&] { tasks[i].get(); }), i % 2 ? std::to_string(i) : "");
    }
    EXPECT_EQ(wrong, std::vector<std::string>{});
}

TEST_F(succession, stacks_of_all_sizes_have_their_size) {
    const auto fill = [](std::size_t bytes) {
        std::vector<unsigned char> expected(1);
        volatile unsigned char* room = static_cast<volatile unsigned char*>(__builtin_alloca(bytes));
        for (std::size_t i = 0; i < bytes; i += 512) room[i] = static_cast<unsigned char>(i / 512);
        coir::this_fiber::yield();
        for (std::size_t i = 0; i < bytes; i += 512) {
            if (room[i] != static_cast<unsigned char>(i / 512)) return false;
        }
        return true;
    };
    std::vector<coir::task<bool>> tasks;
    for (int i = 0; i < 60; ++i) {
        const std::size_t size = std::size_t{64 * 1024} << (i % 3);
        tasks.push_back(coir::spawn({.stack_size = size}, fill, size / 2));
        tasks.push_back(coir::spawn({.stack_size = size}, [] { return true; }));
    }
    for (auto& t : tasks) EXPECT_TRUE(t.get());
}

TEST_F(succession, those_who_are_told_of_switches_see_each) {
    int switches = 0;
    coir::fiber::set_trace([&](coir::trace_event, const coir::fiber& from, const coir::fiber& to) {
        EXPECT_NE(from, to);
        EXPECT_FALSE(from.name().empty());
        ++switches;
    });
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(coir::spawn([] {}));
    for (auto& t : tasks) t.join();
    coir::fiber::set_trace(nullptr);
    EXPECT_GE(switches, 11);
}

TEST_F(succession, a_task_that_ends_may_be_the_last_to_refer_to_the_next) {
    int ran = 0;
    auto inner = std::make_shared<coir::task<void>>();
    coir::spawn([&, inner] {
        *inner = coir::spawn([&] { ++ran; });
        ++ran;
    }).join();
    inner->join();
    EXPECT_EQ(ran, 2);
}

/// A value that takes its time to go, and notes whether its fiber was alive then.
struct slow_to_go {
    explicit slow_to_go(bool& a) : was_alive(&a) {}
    slow_to_go(slow_to_go&& other) noexcept : was_alive(std::exchange(other.was_alive, nullptr)) {}
    ~slow_to_go() {
        if (!was_alive) return;
        const coir::fiber self = coir::fiber::current();
        coir::this_fiber::sleep_for(std::chrono::milliseconds(2));
        *was_alive = !self.dead();
    }
    bool* was_alive;
};

TEST_F(succession, a_value_that_nobody_inherits_goes_while_its_fiber_lives) {
    const coir::fiber main = coir::fiber::current();
    bool was_alive = false;
    coir::event to_the_end;
    const coir::fiber f([&](coir::value) -> coir::value {
        to_the_end.wait();
        return slow_to_go(was_alive);
    });
    coir::fiber caller;
    auto calls_main_back = coir::spawn([&] {
        caller = coir::fiber::current();
        main.switch_to();
    });
    f.switch_to();  // it waits, and the task comes back here
    to_the_end.set();
    while (!f.dead()) coir::this_fiber::sleep_for(std::chrono::milliseconds(1));  // no heir: main is parked
    EXPECT_TRUE(was_alive);
    std::exchange(caller, {}).switch_to();
    calls_main_back.join();
}

}  // namespace
