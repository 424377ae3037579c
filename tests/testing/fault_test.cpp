#include <coir/hub.hpp>
#include <coir/net.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "base/syscall.hpp"
#include "task/leftovers.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::detail::sys;
using coir::testing::call;
using coir::testing::fault;
using coir::testing::leftovers;

class faults : public task_tests::clean_test {};

/// errno after something that must fail.
template <class Result>
int failure(Result result) {
    return result == static_cast<Result>(-1) ? errno : 0;
}

TEST_F(faults, each_kind_fails_with_the_error_asked_for) {
    struct kind {
        call which;
        std::function<int()> try_it;
    };
    const auto null = nullptr;
    const kind kinds[] = {
        {call::read, [] { return failure(sys.read(-1, nullptr, 0)); }},
        {call::write, [] { return failure(sys.write(-1, nullptr, 0)); }},
        {call::close, [] { return failure(sys.close(-1)); }},
        {call::socket, [] { return failure(sys.socket(AF_INET, SOCK_STREAM, 0)); }},
        {call::bind, [=] { return failure(sys.bind(-1, null, 0)); }},
        {call::listen, [] { return failure(sys.listen(-1, 1)); }},
        {call::connect, [=] { return failure(sys.connect(-1, null, 0)); }},
        {call::accept4, [=] { return failure(sys.accept4(-1, null, null, 0)); }},
        {call::recv, [=] { return failure(sys.recv(-1, null, 0, 0)); }},
        {call::send, [=] { return failure(sys.send(-1, null, 0, 0)); }},
        {call::sendmsg, [=] { return failure(sys.sendmsg(-1, null, 0)); }},
        {call::recvmsg, [=] { return failure(sys.recvmsg(-1, null, 0)); }},
        {call::shutdown, [] { return failure(sys.shutdown(-1, SHUT_WR)); }},
        {call::getsockopt, [=] { return failure(sys.getsockopt(-1, 0, 0, null, null)); }},
        {call::setsockopt, [=] { return failure(sys.setsockopt(-1, 0, 0, null, 0)); }},
        {call::poll, [=] { return failure(sys.poll(null, 0, 0)); }},
        {call::epoll_create1, [] { return failure(sys.epoll_create1(0)); }},
        {call::epoll_ctl, [=] { return failure(sys.epoll_ctl(-1, 0, 0, null)); }},
        {call::epoll_pwait2, [=] { return failure(sys.epoll_pwait2(-1, null, 0, null, null)); }},
        {call::eventfd, [] { return failure(sys.eventfd(0, 0)); }},
        {call::timerfd_create, [] { return failure(sys.timerfd_create(CLOCK_MONOTONIC, 0)); }},
        {call::timerfd_settime, [=] { return failure(sys.timerfd_settime(-1, 0, null, null)); }},
        {call::mmap,
         [=] { return sys.mmap(null, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0; }},
        {call::munmap, [=] { return failure(sys.munmap(null, 0)); }},
        {call::mprotect, [=] { return failure(sys.mprotect(null, 0, 0)); }},
        {call::madvise, [=] { return failure(sys.madvise(null, 0, 0)); }},
        {call::process_madvise, [] { return failure(sys.process_madvise(nullptr, 0, 0)); }},
    };
    ASSERT_EQ(std::size(kinds), static_cast<std::size_t>(call::count_of_calls));
    for (const kind& k : kinds) {
        const fault f(k.which, {.error = EXDEV});  // none of them says that by itself
        EXPECT_EQ(k.try_it(), EXDEV) << static_cast<int>(k.which);
        EXPECT_EQ(f.calls(), 1u);
        EXPECT_EQ(f.failed(), 1u);
    }
}

TEST_F(faults, the_nth_and_as_many_as_asked_for) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    std::string pattern;
    {
        const fault f(call::write, {.error = ENOSPC, .nth = 3, .times = 2});
        for (int i = 0; i < 7; ++i) pattern += sys.write(fds[1], "x", 1) == 1 ? '+' : '-';
        EXPECT_EQ(f.calls(), 7u);
        EXPECT_EQ(f.failed(), 2u);
    }
    EXPECT_EQ(pattern, "++--+++");
    EXPECT_EQ(sys.write(fds[1], "x", 1), 1);
    char got[16];
    EXPECT_EQ(::read(fds[0], got, sizeof got), 6) << "what failed has not been done";
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(faults, all_from_the_nth_on) {
    const fault f(call::read, {.error = EIO, .nth = 2, .times = static_cast<std::size_t>(-1)});
    EXPECT_EQ(failure(sys.read(-1, nullptr, 0)), EBADF);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(failure(sys.read(-1, nullptr, 0)), EIO);
    EXPECT_EQ(f.failed(), 100u);
}

TEST_F(faults, counts_begin_anew_with_each) {
    for (int i = 0; i < 3; ++i) {
        const fault f(call::close, {.error = EIO, .nth = 2});
        EXPECT_EQ(f.calls(), 0u);
        EXPECT_EQ(f.failed(), 0u);
        EXPECT_EQ(failure(sys.close(-1)), EBADF);
        EXPECT_EQ(failure(sys.close(-1)), EIO);
    }
}

TEST_F(faults, two_kinds_at_once) {
    const fault reads(call::read, {.error = EIO, .times = 2});
    {
        const fault writes(call::write, {.error = ENOSPC});
        EXPECT_EQ(failure(sys.read(-1, nullptr, 0)), EIO);
        EXPECT_EQ(failure(sys.write(-1, nullptr, 0)), ENOSPC);
        EXPECT_EQ(writes.calls(), 1u);
    }
    EXPECT_EQ(failure(sys.write(-1, nullptr, 0)), EBADF) << "over";
    EXPECT_EQ(failure(sys.read(-1, nullptr, 0)), EIO) << "goes on";
    EXPECT_EQ(reads.calls(), 2u);
}

TEST_F(faults, a_second_of_the_same_kind_is_refused_and_the_first_goes_on) {
    {
        const fault first(call::read, {.error = EIO, .nth = 2});
        EXPECT_EQ(failure(sys.read(-1, nullptr, 0)), EBADF);
        EXPECT_EQ(task_tests::thrown_by([] { const fault second(call::read, {.error = EPERM}); }), "fiber_error");
        EXPECT_EQ(failure(sys.read(-1, nullptr, 0)), EIO);
        EXPECT_EQ(first.calls(), 2u);
    }
    EXPECT_EQ(failure(sys.read(-1, nullptr, 0)), EBADF);
}

TEST_F(faults, a_close_that_fails_has_closed) {
    const int fd = ::dup(0);
    const fault f(call::close, {.error = EINTR});
    EXPECT_EQ(failure(sys.close(fd)), EINTR);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST_F(faults, calls_of_all_threads_count) {
    const fault f(call::read, {.error = EIO, .nth = 301, .times = 200});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int k = 0; k < 100; ++k) (void)sys.read(-1, nullptr, 0);
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(f.calls(), 400u);
    EXPECT_EQ(f.failed(), 100u);
}

// --- what coir makes of them

/// A connection, a greeting each way, and the end of it, by a server and a client; what failed is the group's error.
void greet_over_tcp() {
    auto listener = coir::net::tcp_listener::bind("127.0.0.1", 0);
    coir::task_group both;
    both.spawn({.name = "server"}, [&] {
        auto s = listener.accept();
        char got[5];
        s.read_exactly(got);
        EXPECT_EQ(std::string(got, 5), "hello");
        s.write_all(std::string("world"));
        s.shutdown_write();
    });
    both.spawn({.name = "client"}, [&] {
        auto c = coir::net::tcp_stream::connect(listener.local_address());
        c.write_all(std::string("hello"));
        char got[5];
        c.read_exactly(got);
        EXPECT_EQ(std::string(got, 5), "world");
        EXPECT_EQ(c.read_some(got), 0u);
    });
    both.join();
}

enum class expected { to_be_told, to_be_got_over, either };

/// The n-th call fails, for n = 1, 2, ... until all calls have had their turn. Nothing is left each time, and then it
/// works again.
void fail_each(call which, int error, expected what, const std::function<void()>& body) {
    greet_over_tcp();
    for (std::size_t nth = 1;; ++nth) {
        ASSERT_LT(nth, 1'000u);
        const leftovers before;
        const std::string nothing = before.describe();  // but the fiber that asks
        std::size_t failed;
        std::error_code told;
        {
            const fault f(which, {.error = error, .nth = nth});
            try {
                body();
            } catch (const std::system_error& e) {
                told = e.code();
            }
            failed = f.failed();
        }
        EXPECT_EQ(before.describe(), nothing)
            << "call " << static_cast<int>(which) << ", error " << error << ", n " << nth;
        const int expected_error = what == expected::to_be_told && failed != 0 ? error : 0;
        if (what != expected::either || failed == 0 || told) {
            EXPECT_EQ(told.value(), what == expected::either && failed != 0 ? error : expected_error)
                << "call " << static_cast<int>(which) << ", n " << nth;
        }
        if (failed == 0) break;
    }
    greet_over_tcp();
}

COIR_TEST(net_under_faults, what_cannot_be_made_is_told) {
    for (const int error : {EMFILE, ENFILE, ENOMEM})
        fail_each(call::socket, error, expected::to_be_told, greet_over_tcp);
    fail_each(call::bind, EADDRINUSE, expected::to_be_told, greet_over_tcp);
    fail_each(call::listen, EADDRINUSE, expected::to_be_told, greet_over_tcp);
    for (const int error : {ECONNREFUSED, EADDRNOTAVAIL, ENOBUFS})
        fail_each(call::connect, error, expected::to_be_told, greet_over_tcp);
    // Those that take something out of the epoll set have nobody to tell.
    for (const int error : {ENOMEM, ENOSPC}) fail_each(call::epoll_ctl, error, expected::either, greet_over_tcp);
}

COIR_TEST(net_under_faults, a_broken_connection_is_told) {
    for (const int error : {ECONNRESET, ETIMEDOUT, ENOMEM})
        fail_each(call::recv, error, expected::to_be_told, greet_over_tcp);
    for (const int error : {EPIPE, ECONNRESET, ENOBUFS})
        fail_each(call::send, error, expected::to_be_told, greet_over_tcp);
    fail_each(call::shutdown, ENOTCONN, expected::to_be_told, greet_over_tcp);
    fail_each(call::getsockopt, ENOBUFS, expected::to_be_told, greet_over_tcp);
}

COIR_TEST(net_under_faults, an_interrupted_call_is_made_again) {
    for (const call which : {call::accept4, call::recv, call::send, call::epoll_pwait2})
        fail_each(which, EINTR, expected::to_be_got_over, greet_over_tcp);
}

COIR_TEST(net_under_faults, accept_gets_over_what_concerns_another_connection) {
    for (const int error : {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH})
        fail_each(call::accept4, error, expected::to_be_got_over, greet_over_tcp);
}

/// It waits up to a second each time; here that is no time.
COIR_TEST(net_under_faults, accept_waits_out_a_shortage) {
    const coir::testing::virtual_clock clock;
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        fail_each(call::accept4, error, expected::to_be_got_over, greet_over_tcp);
        const fault long_shortage(call::accept4, {.error = error, .times = 50});
        greet_over_tcp();
        EXPECT_EQ(long_shortage.failed(), 50u);
    }
}

COIR_TEST(net_under_faults, a_close_that_fails_loses_no_descriptor) {
    for (const int error : {EINTR, EIO}) fail_each(call::close, error, expected::to_be_got_over, greet_over_tcp);
}

COIR_TEST(net_under_faults, errors_name_the_operation) {
    const auto text_of = [](call which, int error) -> std::string {
        const fault f(which, {.error = error});
        try {
            greet_over_tcp();
        } catch (const std::system_error& e) {
            return e.what();
        }
        return {};
    };
    EXPECT_NE(text_of(call::listen, EADDRINUSE).find("listen on 127.0.0.1"), std::string::npos);
    EXPECT_NE(text_of(call::connect, ECONNREFUSED).find("connect"), std::string::npos);
    EXPECT_NE(text_of(call::recv, ECONNRESET).find("read"), std::string::npos);
    EXPECT_NE(text_of(call::send, EPIPE).find("write"), std::string::npos);
}

TEST_F(faults, a_hub_that_cannot_be_made_is_an_error_and_nothing_is_left) {
    for (const call which : {call::epoll_create1, call::eventfd, call::epoll_ctl}) {
        for (std::size_t nth = 1;; ++nth) {
            std::size_t failed = 0;
            const auto descriptors = task_tests::open_descriptors();
            std::string told;
            {
                const fault f(which, {.error = EMFILE, .nth = nth});
                std::thread([&] { told = task_tests::thrown_by([] { (void)coir::hub::current(); }); }).join();
                failed = f.failed();
            }
            EXPECT_EQ(task_tests::open_descriptors(), descriptors) << static_cast<int>(which) << ", n " << nth;
            if (failed == 0) break;
            EXPECT_EQ(told, "system_error");
        }
    }
}

TEST_F(faults, a_hub_pool_that_cannot_be_made_is_an_error_and_nothing_is_left) {
    for (const call which : {call::epoll_create1, call::eventfd, call::epoll_ctl}) {
        for (std::size_t nth = 1;; ++nth) {
            ASSERT_LT(nth, 100u);
            std::size_t failed = 0;
            const auto descriptors = task_tests::open_descriptors();
            std::string told;
            {
                const fault f(which, {.error = EMFILE, .nth = nth});
                told = task_tests::thrown_by([] { const coir::hub_pool hubs(3); });
                failed = f.failed();
            }
            EXPECT_EQ(task_tests::open_descriptors(), descriptors) << static_cast<int>(which) << ", n " << nth;
            if (failed == 0) break;
            EXPECT_EQ(told, "system_error") << static_cast<int>(which) << ", n " << nth;
        }
    }
}

}  // namespace
