// What tests/early_end.cpp promises.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

namespace {

class early_end : public testing::Test {
protected:
    early_end() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }  // as a program of its own, not as a child
};

TEST_F(early_end, of_a_program_is_no_success) {
    EXPECT_EXIT(::_exit(0), testing::ExitedWithCode(70), "the program ends before its tests do");
}

TEST_F(early_end, with_an_error_stays_one) { EXPECT_EXIT(::_exit(3), testing::ExitedWithCode(3), ""); }

TEST_F(early_end, of_a_child_is_its_own_affair) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
