// What the tests of this floor share: connections to try things on, and the proof at the end of each test
// that nothing is left over.
#pragma once

#include <coir/hub/hub.hpp>
#include <coir/net/tcp.hpp>
#include <coir/task/task.hpp>
#include <coir/task/this_fiber.hpp>

#include "base/syscall.hpp"
#include "hub/deadlock.hpp"

#include <gtest/gtest.h>

#include <dirent.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <system_error>
#include <utility>

namespace net_tests {

using namespace std::chrono_literals;

/// For a wait that has to be ended by something else: long before that, ctest gives up.
inline constexpr auto for_ever = 1h;

inline std::set<int> open_descriptors() {
    std::set<int> all;
    DIR* const folder = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(folder)) {
        if (entry->d_name[0] != '.') all.insert(std::atoi(entry->d_name));
    }
    all.erase(::dirfd(folder));
    ::closedir(folder);
    return all;
}

/// How many fibers of this thread are alive, its main fiber included.
inline std::ptrdiff_t live_fibers() {
    const std::string lines = coir::hub::current().describe_fibers();
    return std::count(lines.begin(), lines.end(), '\n');
}

/// Each test with this fixture ends with the proof that it left no fiber and no descriptor, and no seam open.
class clean_test : public ::testing::Test {
public:
    clean_test() : fibers_(live_fibers()), descriptors_(open_descriptors()), calls_(coir::detail::sys) {}
    ~clean_test() override {
        coir::detail::sys = calls_;
        EXPECT_EQ(live_fibers(), fibers_) << coir::hub::current().describe_fibers();
        wait_for_helpers();
        EXPECT_EQ(open_descriptors(), descriptors_);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
    }

private:
    /// A name that nobody waits for any more is still looked up, with files open meanwhile.
    void wait_for_helpers() const {
        const auto limit = coir::deadline::after(10s);
        while (coir::detail::helper_job::count() != 0 && !limit.expired()) coir::this_fiber::sleep_for(1ms);
    }

    std::ptrdiff_t fibers_;
    std::set<int> descriptors_;
    coir::detail::system_calls calls_;
};

inline coir::net::tcp_listener listen_on_loopback() { return coir::net::tcp_listener::bind("127.0.0.1", 0); }

/// Two ends of one connection.
struct connected_pair {
    connected_pair() : connected_pair(listen_on_loopback()) {}
    explicit connected_pair(coir::net::tcp_listener listener)
        : client(coir::net::tcp_stream::connect(listener.local_address())), server(listener.accept()) {}

    coir::net::tcp_stream client;
    coir::net::tcp_stream server;
};

/// Closing it sends a reset instead of the end of the stream.
inline void reset_on_close(const coir::net::tcp_stream& stream) {
    const linger at_once{1, 0};
    ASSERT_EQ(::setsockopt(stream.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
}

inline void set_send_buffer(const coir::net::tcp_stream& stream, int size) {
    ASSERT_EQ(::setsockopt(stream.native_handle(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
}

/// Writes until the kernel takes no more: the next write has to wait. Never suspends.
inline std::size_t fill_send_buffer(const coir::net::tcp_stream& stream) {
    const std::string block(64 * 1024, 'x');
    std::size_t total = 0;
    for (;;) {
        const ssize_t n = ::send(stream.native_handle(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) return total;
        total += static_cast<std::size_t>(n);
    }
}

/// Lets every other fiber run until it waits; what the kernel knows by then has been looked at.
inline void let_others_run() {
    for (int i = 0; i < 20; ++i) coir::this_fiber::yield();
}

/// The same bytes for the same seed, and no pattern that a lost or doubled block would hide in.
class byte_sequence {
public:
    explicit byte_sequence(std::uint64_t seed) : state_(seed * 2 + 1) {}

    char next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<char>(state_ >> 56);
    }
    std::string next(std::size_t n) {
        std::string bytes(n, '\0');
        for (char& c : bytes) c = next();
        return bytes;
    }

private:
    std::uint64_t state_;
};

/// The code of the std::system_error that `call` throws; empty when it throws none.
template <class Call>
std::error_code failure_of(Call call) {
    try {
        call();
    } catch (const std::system_error& e) {
        return e.code();
    }
    return {};
}

/// The text of the `Error` that `call` throws; empty when it throws none.
template <class Error = std::exception, class Call>
std::string text_of(Call call) {
    try {
        call();
    } catch (const Error& e) {
        return e.what();
    }
    return {};
}

}  // namespace net_tests
