// What accept passes over, what it waits out, and what it reports.
#include "net/net_test.hpp"

#include <coir/base/unique_fd.hpp>
#include <coir/net/server.hpp>
#include <coir/task/timeout.hpp>

#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <vector>

namespace {

using namespace net_tests;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

/// What the calls of accept4 fail with, one after the other; then they succeed.
std::vector<int> failures;
int calls = 0;

int failing_accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
    ++calls;
    if (failures.empty()) return ::accept4(fd, address, size, flags);
    errno = failures.front();
    failures.erase(failures.begin());
    return -1;
}

class accept_errors : public clean_test {
protected:
    accept_errors() {
        calls = 0;
        failures.clear();
        coir::detail::sys.accept4 = failing_accept4;
    }
    tcp_listener listener = listen_on_loopback();
};

class passing : public accept_errors, public ::testing::WithParamInterface<int> {};

INSTANTIATE_TEST_SUITE_P(each, passing,
                         ::testing::Values(ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
                                           EOPNOTSUPP, ENETUNREACH, EPERM, EINTR));

TEST_P(passing, errors_of_a_connection_that_has_gone_are_passed_over) {
    failures = {GetParam(), GetParam(), GetParam()};
    tcp_stream client = tcp_stream::connect(listener.local_address());
    tcp_stream server = listener.accept();
    EXPECT_EQ(server.peer_address(), client.local_address());
    EXPECT_EQ(calls, 4);
}

class shortage : public accept_errors, public ::testing::WithParamInterface<int> {};

INSTANTIATE_TEST_SUITE_P(each, shortage, ::testing::Values(EMFILE, ENFILE, ENOBUFS, ENOMEM));

TEST_P(shortage, is_waited_out) {
    failures = {GetParam(), GetParam()};
    tcp_stream client = tcp_stream::connect(listener.local_address());
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(listener.accept().is_open());
    EXPECT_GE(std::chrono::steady_clock::now() - start, 10ms) << "it did not back off";
    EXPECT_EQ(calls, 3);
}

TEST_P(shortage, does_not_keep_a_listener_from_being_closed) {
    failures.assign(1000, GetParam());
    tcp_stream client = tcp_stream::connect(listener.local_address());
    auto accepting = coir::spawn([&] { return failure_of([&] { listener.accept(); }); });
    let_others_run();
    listener.close();
    EXPECT_EQ(accepting.get(), std::errc::bad_file_descriptor);
}

TEST_P(shortage, can_be_cancelled) {
    failures.assign(1000, GetParam());
    tcp_stream client = tcp_stream::connect(listener.local_address());
    auto accepting = coir::spawn([&] { listener.accept(); });
    let_others_run();
    accepting.cancel();
    accepting.join();
    EXPECT_TRUE(accepting.was_cancelled());
}

TEST_F(accept_errors, others_are_reported) {
    failures = {EINVAL};
    tcp_stream client = tcp_stream::connect(listener.local_address());
    const std::string text = text_of<std::system_error>([&] { listener.accept(); });
    EXPECT_NE(text.find("accept fd " + std::to_string(listener.native_handle())), std::string::npos) << text;
}

/// Leaves this process no free descriptor, for as long as it lives.
class all_descriptors {
public:
    all_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &former_);
        const rlimit low{std::min<rlim_t>(former_.rlim_cur, 256), former_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &low);
        for (int fd = 0; fd >= 0;) {
            fd = ::fcntl(0, F_DUPFD_CLOEXEC, 3);
            if (fd >= 0) held_.emplace_back(fd);
        }
    }
    ~all_descriptors() { ::setrlimit(RLIMIT_NOFILE, &former_); }
    void give_back(std::size_t n) { held_.resize(held_.size() - n); }

private:
    rlimit former_{};
    std::vector<coir::unique_fd> held_;
};

class out_of_descriptors : public clean_test {
    void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
        GTEST_SKIP() << "the sanitizer makes pipes to look at memory; see `shortage` for the same with "
                        "injected errors";
#endif
    }
};

TEST_F(out_of_descriptors, a_server_lives_on_and_recovers) {
    tcp_listener listener = listen_on_loopback();
    auto serving = coir::spawn([&] {
        coir::net::serve(listener, [](tcp_stream stream) {
            char block[16];
            while (const std::size_t n = stream.read_some(block)) stream.write_all({block, n});
        });
    });
    const auto exchange = [](tcp_stream& stream) {
        char got[5];
        stream.write_all("hello");
        stream.read_exactly(got);
        return std::string(got, 5);
    };
    tcp_stream early = tcp_stream::connect(listener.local_address());
    EXPECT_EQ(exchange(early), "hello");

    all_descriptors none;
    none.give_back(1);
    tcp_stream late = tcp_stream::connect(listener.local_address());
    EXPECT_EQ(failure_of([&] { tcp_stream::connect(listener.local_address()); }), std::errc::too_many_files_open);
    let_others_run();
    EXPECT_FALSE(serving.done());
    EXPECT_EQ(exchange(early), "hello") << "those that are there are served";
    none.give_back(1);
    EXPECT_EQ(exchange(late), "hello") << "and the others when there is room again";

    early.close();
    late.close();
    listener.close();
    serving.get();
}

TEST_F(out_of_descriptors, listening_says_so) {
    all_descriptors none;
    EXPECT_EQ(failure_of([] { tcp_listener::bind("127.0.0.1", 0); }), std::errc::too_many_files_open);
}

}  // namespace
