// White box: a descriptor that coir owns, as src/hub/fd_watch.hpp promises it.
#include "hub/fd_watch.hpp"
#include "base/syscall.hpp"

#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <coir/base/unique_fd.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::unique_fd;
using coir::detail::direction;
using coir::detail::wake_reason;
using watch_ref = coir::detail::ref<coir::detail::fd_watch>;
using fd_watch = task_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

constexpr auto at_once = [] { return coir::deadline::after(0ms); };
constexpr auto never = coir::deadline::never();

/// A watched end, and the other one.
struct watched_pair {
    explicit watched_pair(int type = SOCK_STREAM) {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        watch = coir::detail::fd_watch::make(fds[0]);
        peer.reset(fds[1]);
    }

    void put(std::size_t n = 1) const {
        EXPECT_EQ(::write(peer.get(), std::string(n, 'x').data(), n), static_cast<ssize_t>(n));
    }
    ssize_t take(std::size_t most) const {
        std::string buffer(most, ' ');
        return ::read(watch->fd(), buffer.data(), most);
    }
    wake_reason wait_empty(coir::deadline limit) const {
        watch->not_ready(direction::read);
        return watch->wait(direction::read, limit);
    }
    auto spawn_reader() const {
        watch->not_ready(direction::read);
        return coir::spawn([w = watch] { return w->wait(direction::read, never); });
    }
    void fill() const {
        const std::vector<char> block(65536);
        while (::write(watch->fd(), block.data(), block.size()) > 0) {
        }
        watch->not_ready(direction::write);
    }

    watch_ref watch;
    unique_fd peer;
};

TEST_F(fd_watch, a_new_one_may_be_tried_at_once) {
    const watched_pair p;
    EXPECT_TRUE(p.watch->may(direction::read) && p.watch->may(direction::write));
    EXPECT_EQ(p.watch->wait(direction::read, at_once()), wake_reason::ready);
}

TEST_F(fd_watch, an_event_comes_once_for_new_data_only) {
    const watched_pair p;
    EXPECT_EQ(p.wait_empty(at_once()), wake_reason::timed_out);
    p.put(2);
    EXPECT_EQ(p.wait_empty(never), wake_reason::ready);
    EXPECT_EQ(p.take(1), 1);
    EXPECT_EQ(p.wait_empty(coir::deadline::after(2ms)), wake_reason::timed_out) << "the edge has been taken";
    p.put();
    EXPECT_EQ(p.wait_empty(never), wake_reason::ready);
}

TEST_F(fd_watch, what_was_there_before_the_first_wait_is_reported) {
    const watched_pair p;
    p.put();
    EXPECT_EQ(p.wait_empty(never), wake_reason::ready);
}

TEST_F(fd_watch, directions_are_told_apart) {
    const watched_pair p;
    p.fill();
    auto reader = p.spawn_reader();
    auto writer = coir::spawn([&] { return p.watch->wait(direction::write, never); });
    until_parked(reader);
    until_parked(writer);
    p.put();
    EXPECT_EQ(reader.get(), wake_reason::ready);
    EXPECT_FALSE(writer.done());
    std::vector<char> block(65536);
    while (::read(p.peer.get(), block.data(), block.size()) > 0) {
    }
    EXPECT_EQ(writer.get(), wake_reason::ready);
}

TEST_F(fd_watch, all_who_wait_in_one_direction_are_woken) {
    const watched_pair p;
    auto first = p.spawn_reader();
    auto second = p.spawn_reader();
    until_parked(first);
    until_parked(second);
    p.put();
    EXPECT_EQ(first.get(), wake_reason::ready);
    EXPECT_EQ(second.get(), wake_reason::ready);
}

TEST_F(fd_watch, one_who_gives_up_leaves_the_others) {
    const watched_pair p;
    auto first = p.spawn_reader();
    auto second = p.spawn_reader();
    auto third = coir::spawn([&] { return p.watch->wait(direction::read, coir::deadline::after(1ms)); });
    until_parked(third);
    first.cancel();
    EXPECT_EQ(third.get(), wake_reason::timed_out);
    EXPECT_FALSE(second.done());
    p.put();
    EXPECT_EQ(second.get(), wake_reason::ready);
    EXPECT_TRUE(first.was_cancelled());
}

TEST_F(fd_watch, close_wakes_all_waiters_with_closed) {
    const watched_pair p;
    p.fill();
    p.watch->not_ready(direction::read);
    std::vector<coir::task<wake_reason>> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(
            coir::spawn([&, i] { return p.watch->wait(i % 2 ? direction::read : direction::write, never); }));
    }
    until_parked(tasks.back());
    p.watch->close();
    p.watch->close();
    for (auto& t : tasks) EXPECT_EQ(t.get(), wake_reason::closed);
    EXPECT_TRUE(p.watch->is_closed());
    EXPECT_EQ(p.watch->wait(direction::read, never), wake_reason::closed);
    EXPECT_FALSE(p.watch->enter());
}

TEST_F(fd_watch, close_from_another_thread_wakes_them_too) {
    for (int i = 0; i < 200; ++i) {
        const watched_pair p;
        auto reader = p.spawn_reader();
        until_parked(reader);
        std::thread other([&] { p.watch->close(); });
        EXPECT_EQ(reader.get(), wake_reason::closed);
        other.join();
    }
}

TEST_F(fd_watch, the_number_stays_while_a_call_is_inside) {
    const watched_pair p;
    const int number = p.watch->fd();
    ASSERT_TRUE(p.watch->enter());
    p.watch->close();
    EXPECT_NE(::fcntl(number, F_GETFD), -1);
    p.watch->leave();
    EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST_F(fd_watch, a_short_read_has_drained_it) {
    const watched_pair p;
    EXPECT_EQ(p.wait_empty(at_once()), wake_reason::timed_out);
    p.put(10);
    EXPECT_EQ(p.wait_empty(never), wake_reason::ready);
    EXPECT_EQ(p.take(20), 10);
    EXPECT_TRUE(p.watch->is_drained_by_short(direction::read));
    EXPECT_TRUE(p.watch->is_drained_by_short(direction::write));
}

TEST_F(fd_watch, a_short_read_with_the_end_behind_it_has_not) {
    const watched_pair p;
    EXPECT_EQ(p.wait_empty(at_once()), wake_reason::timed_out);
    p.put(10);
    ::shutdown(p.peer.get(), SHUT_WR);
    EXPECT_EQ(p.wait_empty(never), wake_reason::ready);
    EXPECT_EQ(p.take(20), 10);
    EXPECT_FALSE(p.watch->is_drained_by_short(direction::read)) << "RDHUP: the end is still to be read";
    EXPECT_EQ(p.take(20), 0);
}

TEST_F(fd_watch, a_short_read_that_urgent_data_split_has_not) {
    unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &length);
    ASSERT_EQ(::connect(peer.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    const auto watch =
        coir::detail::fd_watch::make(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    watch->not_ready(direction::read);
    EXPECT_EQ(watch->wait(direction::read, at_once()), wake_reason::timed_out);
    ASSERT_EQ(::send(peer.get(), "abc", 3, 0), 3);
    ASSERT_EQ(::send(peer.get(), "!", 1, MSG_OOB), 1);
    ASSERT_EQ(::send(peer.get(), "def", 3, 0), 3);
    EXPECT_EQ(watch->wait(direction::read, never), wake_reason::ready);
    char buffer[20];
    EXPECT_EQ(::read(watch->fd(), buffer, sizeof buffer), 3);
    EXPECT_FALSE(watch->is_drained_by_short(direction::read)) << "PRI: more lies behind the mark";
    EXPECT_EQ(::read(watch->fd(), buffer, sizeof buffer), 3);
}

TEST_F(fd_watch, moves_to_another_hub_when_nobody_waits) {
    const watched_pair p;
    EXPECT_EQ(p.wait_empty(at_once()), wake_reason::timed_out);
    for (int i = 0; i < 3; ++i) {
        std::thread([&] {
            p.put();
            EXPECT_EQ(p.wait_empty(never), wake_reason::ready);
            EXPECT_EQ(p.take(2), 1);
        }).join();
        p.put();
        EXPECT_EQ(p.wait_empty(never), wake_reason::ready);
        EXPECT_EQ(p.take(2), 1);
    }
}

TEST_F(fd_watch, waits_from_two_hubs_at_once_are_refused_and_the_first_goes_on) {
    const watched_pair p;
    auto reader = p.spawn_reader();
    until_parked(reader);
    std::thread([&] { EXPECT_EQ(thrown_by([&] { p.watch->wait(direction::read, never); }), "fiber_error"); }).join();
    EXPECT_FALSE(reader.done());
    p.put();
    EXPECT_EQ(reader.get(), wake_reason::ready);
}

TEST_F(fd_watch, dropped_on_another_thread_without_close_leaves_its_hub_nothing) {
    for (int i = 0; i < 50; ++i) {
        watched_pair p;
        EXPECT_EQ(p.wait_empty(at_once()), wake_reason::timed_out);
        p.put();  // an event that the hub has not taken in yet
        std::thread([w = std::move(p.watch)]() mutable { w = {}; }).join();
        coir::this_fiber::sleep_for(100us);
    }
}

TEST_F(fd_watch, what_the_kernel_refuses_to_watch_is_an_error) {
    const auto watch = coir::detail::fd_watch::make(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    watch->not_ready(direction::read);
    EXPECT_EQ(thrown_by([&] { watch->wait(direction::read, never); }), "system_error");
}

/// All are ready in one batch or the next; the first to run closes the half, and opens as many, whose numbers are
/// those just freed.
TEST_F(fd_watch, a_stale_event_never_reaches_the_new_owner_of_a_number) {
    constexpr std::size_t count = 2'000;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 2 * count + 100) GTEST_SKIP() << "needs " << 2 * count + 100 << " descriptors";
    const rlimit former = limit;
    limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, 2 * count + 100);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    {
        std::vector<watched_pair> old(count), young;
        std::vector<coir::task<wake_reason>> waits;
        for (auto& p : old) waits.push_back(p.spawn_reader());
        until_parked(waits.back());
        auto closer = coir::spawn([&] {
            old[0].watch->wait(direction::read, never);
            for (std::size_t i = count / 2; i < count; ++i) {
                old[i].watch->close();
                old[i].peer.reset();
            }
            for (std::size_t i = count / 2; i < count; ++i) young.emplace_back();
        });
        until_parked(closer);
        for (auto& p : old) p.put();
        closer.get();
        std::vector<coir::task<wake_reason>> strangers;
        for (auto& p : young) {
            strangers.push_back(coir::spawn([&p] { return p.wait_empty(coir::deadline::after(20ms)); }));
        }
        for (auto& t : strangers) EXPECT_EQ(t.get(), wake_reason::timed_out);
        for (auto& t : waits) EXPECT_NE(t.get(), wake_reason::timed_out);
    }
    ::setrlimit(RLIMIT_NOFILE, &former);
}

int epoll_waits = 0;

/// The loop must not spin over an error or a hang-up that nobody takes in.
TEST_F(fd_watch, a_hang_up_that_nobody_reads_does_not_keep_the_loop_busy) {
    watched_pair p;
    EXPECT_EQ(p.wait_empty(at_once()), wake_reason::timed_out);  // registered
    p.peer.reset();
    epoll_waits = 0;
    coir::detail::sys.epoll_pwait2 = [](int fd, epoll_event* events, int n, const timespec* limit,
                                        const sigset_t* set) {
        ++epoll_waits;
        return ::epoll_pwait2(fd, events, n, limit, set);
    };
    coir::this_fiber::sleep_for(std::chrono::milliseconds(30));
    coir::detail::sys.epoll_pwait2 = ::epoll_pwait2;
    EXPECT_LT(epoll_waits, 20);
}

/// An old kernel. Last of this file: a process finds out once.
TEST_F(fd_watch, without_nanoseconds_nothing_is_early_and_wakes_come) {
    coir::detail::sys.epoll_pwait2 = [](int, epoll_event*, int, const timespec*, const sigset_t*) {
        errno = ENOSYS;
        return -1;
    };
    const watched_pair p;
    for (const auto span : {1us, 300us, 1000us, 1001us}) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(p.wait_empty(coir::deadline::after(span)), wake_reason::timed_out);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, span);
    }
    const auto reader = p.spawn_reader();
    until_parked(reader);
    std::thread other([&] { p.put(); });
    EXPECT_EQ(reader.get(), wake_reason::ready);
    other.join();
    coir::detail::sys.epoll_pwait2 = ::epoll_pwait2;
}

}  // namespace
