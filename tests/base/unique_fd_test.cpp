#include <coir/base/unique_fd.hpp>

#include <coir/base/error.hpp>

#include "base/syscall.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace {

using coir::unique_fd;

/// Records what is closed, and closes nothing.
class unique_fd_closes : public ::testing::Test {
protected:
    void SetUp() override {
        closed.clear();
        coir::detail::sys.close = [](int fd) {
            closed.push_back(fd);
            errno = EINTR;
            return -1;
        };
    }
    void TearDown() override { coir::detail::sys.close = ::close; }

    static inline std::vector<int> closed;
    using list = std::vector<int>;
};

TEST_F(unique_fd_closes, when_it_goes) {
    { const unique_fd fd(7); }
    EXPECT_EQ(closed, list({7}));
}

TEST_F(unique_fd_closes, nothing_when_empty) {
    { const unique_fd fd; }
    { const unique_fd fd(-1); }
    EXPECT_EQ(closed, list());
}

TEST_F(unique_fd_closes, also_descriptor_zero) {
    {
        const unique_fd fd(0);
        EXPECT_TRUE(fd);
    }
    EXPECT_EQ(closed, list({0}));
}

TEST_F(unique_fd_closes, once_when_close_is_interrupted) {
    { const unique_fd fd(3); }
    EXPECT_EQ(closed, list({3}));
}

TEST_F(unique_fd_closes, once_when_moved) {
    {
        unique_fd a(5);
        unique_fd b(std::move(a));
        EXPECT_FALSE(a);
        EXPECT_EQ(a.get(), -1);
        EXPECT_EQ(b.get(), 5);
        EXPECT_EQ(closed, list());
    }
    EXPECT_EQ(closed, list({5}));
}

TEST_F(unique_fd_closes, the_old_one_when_assigned) {
    unique_fd a(5), b(6);
    a = std::move(b);
    EXPECT_EQ(closed, list({5}));
    EXPECT_EQ(a.get(), 6);
    EXPECT_FALSE(b);
    unique_fd& same = a;
    a = std::move(same);
    EXPECT_EQ(a.get(), 6);
    EXPECT_EQ(closed, list({5}));
    a.reset();
    EXPECT_EQ(closed, list({5, 6}));
    a.reset(8);
    EXPECT_EQ(a.release(), 8);
    EXPECT_FALSE(a);
    EXPECT_EQ(closed, list({5, 6}));
}

TEST(unique_fd, really_closes) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    { const unique_fd reader(ends[0]), writer(ends[1]); }
    errno = 0;
    EXPECT_EQ(::close(ends[0]), -1);
    EXPECT_EQ(errno, EBADF);
}

TEST(system_error, names_the_operation_and_the_descriptor) {
    try {
        coir::detail::throw_system_error(ECONNREFUSED, "connect 127.0.0.1:80");
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), std::errc::connection_refused);
        EXPECT_NE(std::string(e.what()).find("connect 127.0.0.1:80"), std::string::npos) << e.what();
    }
    try {
        coir::detail::throw_system_error(EBADF, "read", 7);
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), EBADF);
        EXPECT_NE(std::string(e.what()).find("read fd 7"), std::string::npos) << e.what();
    }
}

}  // namespace
