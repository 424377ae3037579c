// Ten thousand connections at once on one thread, each byte of each checked. The clients are another process: so each
// side needs ten thousand descriptors, which is below the usual limits.
#include "net/net_test.hpp"

#include <coir/base/unique_fd.hpp>
#include <coir/net/server.hpp>
#include <coir/sync/event.hpp>
#include <coir/task/io_wait.hpp>
#include <coir/task/task_group.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace net_tests;
using coir::net::tcp_stream;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t wanted = 1'000;
#else
constexpr std::size_t wanted = 10'000;
#endif

/// A descriptor for each connection, and some for all the rest.
std::size_t allowed_connections() {
    constexpr std::size_t others = 64;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const std::size_t allowed = std::min<std::size_t>(wanted, limit.rlim_cur - others);
    if (allowed < wanted) std::cout << "the limit of descriptors allows only " << allowed << " connections\n";
    return allowed;
}

void echo(tcp_stream stream) {
    char block[512];
    while (const std::size_t n = stream.read_some(block)) stream.write_all({block, n});
}

/// Opens all connections before any of them says a word, then lets all of them talk at once.
class crowd {
public:
    crowd(const coir::net::address& server, std::size_t size) : server_(server), streams_(size) {}

    void connect() {
        coir::task_group openers;  // a few at a time, so that the listener's queue does not overflow
        for (int i = 0; i < 50; ++i) {
            openers.spawn([&] {
                while (next_ < streams_.size()) {
                    tcp_stream& stream = streams_[next_++];
                    stream = tcp_stream::connect(server_);
                }
            });
        }
        openers.join();
    }

    void talk() {
        coir::event start;
        coir::task_group talkers;
        for (std::size_t i = 0; i < streams_.size(); ++i) {
            talkers.spawn([&, i] {
                start.wait();
                for (std::size_t round = 0; round < 5; ++round) exchange(streams_[i], i * 5 + round);
                streams_[i].shutdown_write();
                char c;
                EXPECT_EQ(streams_[i].read_some({&c, 1}), 0u);
            });
        }
        let_others_run();
        start.set();
        talkers.join();
    }

    std::size_t correct_bytes = 0;

private:
    void exchange(tcp_stream& stream, std::size_t number) {
        const std::string sent = byte_sequence(number).next(1 + number % 300);
        std::string got(sent.size(), '\0');
        stream.write_all(sent);
        stream.read_exactly(got);
        ASSERT_TRUE(got == sent) << "message " << number;
        correct_bytes += got.size();
    }

    coir::net::address server_;
    std::vector<tcp_stream> streams_;
    std::size_t next_ = 0;
};

/// A child that is the clients, and ends with 0 if all their bytes came back.
class client_process {
public:
    client_process(const coir::net::address& server, std::size_t connections, std::size_t expected_bytes) {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        child_ = ::fork();
        if (child_ == 0) {
            crowd clients(server, connections);
            clients.connect();
            clients.talk();
            ::_exit(clients.correct_bytes == expected_bytes ? 0 : 1);
        }
        ::close(ends[1]);
        its_end_.reset(ends[0]);
    }

    /// Suspends until it has ended, which closes its end of the pipe.
    int exit_code() {
        coir::wait_readable(its_end_.get());
        int status = 0;
        ::waitpid(child_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }

private:
    pid_t child_ = -1;
    coir::unique_fd its_end_;
};

class echo_10k : public clean_test {};

TEST_F(echo_10k, every_byte_comes_back) {
    const std::size_t connections = allowed_connections();
    auto listener = listen_on_loopback();
    std::size_t now = 0;
    std::size_t most = 0;
    auto serving = coir::spawn([&] {
        coir::net::serve(listener, [&](tcp_stream stream) {
            most = std::max(most, ++now);
            echo(std::move(stream));
            --now;
        });
    });
    std::size_t expected = 0;
    for (std::size_t n = 0; n < connections * 5; ++n) expected += 1 + n % 300;
    client_process clients(listener.local_address(), connections, expected);
    EXPECT_EQ(clients.exit_code(), 0);
    listener.close();
    serving.get();
    EXPECT_EQ(most, connections) << "they were not all there at once";
    EXPECT_EQ(now, 0u);
}

}  // namespace
