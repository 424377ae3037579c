#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <coir/base/unique_fd.hpp>

#include "hub/fd_watch.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::unique_fd;
using fd_wait = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

std::pair<unique_fd, unique_fd> socket_pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return {unique_fd(fds[0]), unique_fd(fds[1])};
}
void put(const unique_fd& fd, char c = 'x') { EXPECT_EQ(::write(fd.get(), &c, 1), 1); }
char take(int fd) {
    char c = 0;
    EXPECT_EQ(::read(fd, &c, 1), 1);
    return c;
}

TEST_F(fd_wait, readable_waits_for_data) {
    auto [a, b] = socket_pair();
    auto t = coir::spawn([&] {
        coir::wait_readable(a.get());
        return take(a.get());
    });
    until_parked(t);
    EXPECT_FALSE(t.done());
    put(b, 'q');
    EXPECT_EQ(t.get(), 'q');
}

TEST_F(fd_wait, readable_at_the_end_of_the_stream) {
    auto [a, b] = socket_pair();
    b.reset();
    coir::wait_readable(a.get());
    char c;
    EXPECT_EQ(::read(a.get(), &c, 1), 0);
}

TEST_F(fd_wait, writable_waits_for_room) {
    auto [a, b] = socket_pair();
    std::vector<char> block(65536);
    while (::write(a.get(), block.data(), block.size()) > 0) {
    }
    auto t = coir::spawn([&] { coir::wait_writable(a.get()); });
    until_parked(t);
    while (::read(b.get(), block.data(), block.size()) > 0) {
    }
    t.get();
}

TEST_F(fd_wait, limits_are_never_early_and_tell) {
    auto [a, b] = socket_pair();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(coir::wait_readable_for(a.get(), 3ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    EXPECT_FALSE(coir::wait_readable_until(a.get(), coir::deadline::after(0ms)));
    EXPECT_FALSE(coir::wait_readable_for(a.get(), -1s));
    EXPECT_TRUE(coir::wait_writable_for(a.get(), 1h));
    put(b);
    EXPECT_TRUE(coir::wait_readable_for(a.get(), 1h));
}

TEST_F(fd_wait, a_regular_file_is_always_ready) {
    unique_fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(coir::wait_readable_for(file.get(), 0ms));
    coir::wait_writable(file.get());
}

TEST_F(fd_wait, what_is_no_descriptor_is_an_error) {
    EXPECT_EQ(thrown_by([] { coir::wait_readable(-1); }), "system_error");
    EXPECT_EQ(thrown_by([] { coir::wait_writable(999'999); }), "system_error");
}

TEST_F(fd_wait, several_waiters_are_served_first_come_first) {
    auto [a, b] = socket_pair();
    std::vector<int> order;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 4; ++i) {
        tasks.push_back(coir::spawn([&, i, fd = a.get()] {
            coir::wait_readable(fd);
            take(fd);
            order.push_back(i);
        }));
        until_parked(tasks.back());
    }
    for (std::size_t i = 0; i < 4; ++i) {
        put(b);
        tasks[i].join();
    }
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST_F(fd_wait, a_reader_and_a_writer_at_once) {
    auto [a, b] = socket_pair();
    auto reader = coir::spawn([fd = a.get()] { coir::wait_readable(fd); });
    until_parked(reader);
    coir::wait_writable(a.get());
    EXPECT_FALSE(reader.done());
    put(b);
    reader.join();
}

TEST_F(fd_wait, a_cancelled_wait_leaves_the_others) {
    auto [a, b] = socket_pair();
    auto first = coir::spawn([fd = a.get()] { coir::wait_readable(fd); });
    auto second = coir::spawn([fd = a.get()] { coir::wait_readable(fd); });
    until_parked(first);
    until_parked(second);
    first.cancel();
    first.join();
    put(b);
    second.get();
    EXPECT_TRUE(first.was_cancelled());
}

TEST_F(fd_wait, a_descriptor_that_coir_watches_itself) {
    auto [a, b] = socket_pair();
    auto watch = coir::detail::fd_watch::make(a.release());
    watch->not_ready(coir::detail::direction::read);
    auto own = coir::spawn([&] { return watch->wait(coir::detail::direction::read, coir::deadline::never()); });
    until_parked(own);
    auto foreign = coir::spawn([&] { coir::wait_readable(watch->fd()); });
    until_parked(foreign);
    put(b);
    foreign.get();
    EXPECT_EQ(own.get(), coir::detail::wake_reason::ready);
    watch->close();
}

TEST_F(fd_wait, closed_behind_our_back_it_can_be_cancelled) {
    auto [a, b] = socket_pair();
    auto t = coir::spawn([fd = a.get()] { coir::wait_readable(fd); });
    until_parked(t);
    a.reset();
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(fd_wait, closed_behind_our_back_and_the_number_used_again_the_new_wait_works) {
    auto [a, b] = socket_pair();
    const int number = a.get();
    auto old = coir::spawn([=] { coir::wait_readable(number); });
    until_parked(old);
    a.reset();
    auto [c, d] = socket_pair();
    ASSERT_EQ(c.get(), number);
    auto young = coir::spawn([=] { return coir::wait_readable_for(number, 500ms); });
    until_parked(young);
    old.cancel();
    old.join();
    put(d);
    EXPECT_TRUE(young.get());
}

TEST_F(fd_wait, closed_behind_our_back_while_a_duplicate_lives_leaves_nothing_in_the_kernel) {
    auto [a, b] = socket_pair();
    unique_fd copy(::fcntl(a.get(), F_DUPFD_CLOEXEC, 0));
    auto t = coir::spawn([fd = a.get()] { coir::wait_readable(fd); });
    until_parked(t);
    a.reset();
    t.cancel();
    t.join();
    put(b);
    coir::this_fiber::sleep_for(2ms);  // the loop must not meet what it has freed
    EXPECT_EQ(take(copy.get()), 'x');
}

TEST_F(fd_wait, descriptor_zero_is_one_like_any) {
    unique_fd saved(::fcntl(0, F_DUPFD_CLOEXEC, 3));
    auto [a, b] = socket_pair();
    ASSERT_EQ(::dup2(a.get(), 0), 0);
    auto t = coir::spawn([] { coir::wait_readable(0); });
    until_parked(t);
    put(b);
    t.get();
    if (saved) {
        ::dup2(saved.get(), 0);
    } else {
        ::close(0);
    }
}

TEST_F(fd_wait, a_descriptor_near_the_limit_of_the_process) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit former = limit;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1'048'576);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    auto [a, b] = socket_pair();
    const unique_fd high(::fcntl(a.get(), F_DUPFD_CLOEXEC, static_cast<int>(limit.rlim_cur) - 1));
    if (!high) GTEST_SKIP() << "the system does not allow fd " << limit.rlim_cur - 1;
    put(b);
    EXPECT_TRUE(coir::wait_readable_for(high.get(), 1h));
    ::setrlimit(RLIMIT_NOFILE, &former);
}

}  // namespace
