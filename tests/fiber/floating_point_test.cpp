// What the processor and libc keep for a thread: the rounding mode and errno are a fiber's, the sticky flags
// the thread's.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <cerrno>
#include <cfenv>
#include <csignal>
#include <vector>

namespace {

using coir::fiber;

class floating_point : public fiber_tests::clean_test {
protected:
    void SetUp() override {
        std::fesetenv(FE_DFL_ENV);
        std::feclearexcept(FE_ALL_EXCEPT);
    }
    void TearDown() override { std::fesetenv(FE_DFL_ENV); }
    const fiber main = fiber::current();
};
using errno_of_a_fiber = fiber_tests::clean_test;

double divide(double a, double b) {
    volatile double x = a, y = b, quotient = x / y;
    return quotient;
}

TEST_F(floating_point, rounding_mode_is_a_fibers_own) {
    auto body = [&](coir::value v) {
        const int mode = v.as<int>();
        std::fesetround(mode);
        for (int i = 0; i < 5; ++i) {
            main.switch_to();
            EXPECT_EQ(std::fegetround(), mode);
        }
    };
    const std::vector<int> modes = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    std::vector<fiber> fibers;
    for (int mode : modes) {
        fibers.emplace_back(body);
        fibers.back().switch_to(mode);
    }
    for (int i = 0; i < 5; ++i) {
        for (const fiber& f : fibers) f.switch_to();
        EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    }
}

TEST_F(floating_point, rounding_mode_decides_the_digits) {
    double up = 0, down = 0;
    fiber f([&] {
        std::fesetround(FE_UPWARD);
        main.switch_to();
        up = divide(1, 3);
    });
    f.switch_to();
    std::fesetround(FE_DOWNWARD);
    f.switch_to();
    down = divide(1, 3);
    EXPECT_GT(up, down);
}

TEST_F(floating_point, rounding_mode_survives_a_fibers_end_by_an_error) {
    EXPECT_THROW(fiber([] {
                     std::fesetround(FE_TOWARDZERO);
                     throw 1;
                 }).switch_to(),
                 int);
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

TEST_F(floating_point, sticky_flags_are_the_threads) {
    fiber f([&] {
        EXPECT_TRUE(std::fetestexcept(FE_DIVBYZERO)) << "raised before, by main";
        divide(0, 0);
        main.switch_to();
        EXPECT_FALSE(std::fetestexcept(FE_ALL_EXCEPT)) << "cleared meanwhile, by main";
    });
    divide(1, 0);
    f.switch_to();
    EXPECT_TRUE(std::fetestexcept(FE_DIVBYZERO));
    EXPECT_TRUE(std::fetestexcept(FE_INVALID));
    std::feclearexcept(FE_ALL_EXCEPT);
    f.switch_to();
}

TEST_F(errno_of_a_fiber, is_its_own) {
    const fiber main = fiber::current();
    auto body = [&](coir::value v) {
        const int mine = v.as<int>();
        errno = mine;
        int right = 0;
        for (int i = 0; i < 1000; ++i) {
            main.switch_to();
            right += errno == mine;
        }
        return right;
    };
    fiber a(body), b(body);
    errno = EDOM;
    a.switch_to(11);
    b.switch_to(0);
    for (int i = 0; i < 999; ++i) a.switch_to(), b.switch_to();
    EXPECT_EQ(a.switch_to().as<int>(), 1000);
    EXPECT_EQ(b.switch_to().as<int>(), 1000);
    EXPECT_EQ(errno, EDOM);
}

TEST_F(errno_of_a_fiber, starts_at_zero) {
    errno = EDOM;
    EXPECT_EQ(fiber([] { return errno + 0; }).switch_to().as<int>(), 0);
    EXPECT_EQ(errno, EDOM);
}

TEST_F(errno_of_a_fiber, and_switches_leave_the_signal_mask_alone) {
    sigset_t wanted, found;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
    fiber([] {}).switch_to();
    pthread_sigmask(SIG_BLOCK, nullptr, &found);
    EXPECT_TRUE(sigismember(&found, SIGUSR1));
    EXPECT_FALSE(sigismember(&found, SIGUSR2));
    pthread_sigmask(SIG_UNBLOCK, &wanted, nullptr);
}

}  // namespace
