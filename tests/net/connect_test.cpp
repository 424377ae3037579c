// Connecting to a name that has several addresses (RFC 8305). Names that end in ".test" get theirs from here,
// since a program's own getaddrinfo comes before the system's.
#include "net/net_test.hpp"

#include <coir/base/error.hpp>
#include <coir/task/timeout.hpp>

#include <dlfcn.h>
#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::vector<std::string> answers;  // set while nobody looks up

bool is_ours(const char* host) { return host && std::string(host).ends_with(".test"); }

/// With the address behind it, as one block.
struct entry {
    addrinfo info{};
    coir::net::address where;
};

}  // namespace

extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
    using function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    if (!is_ours(host)) return real(host, port, hints, found);
    if (hints->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
    *found = nullptr;
    for (auto ip = answers.rbegin(); ip != answers.rend(); ++ip) {
        auto* const e = new entry;
        e->where = coir::net::address(*ip, std::atoi(port));
        e->info.ai_family = e->where.native()->sa_family;
        e->info.ai_addr = const_cast<sockaddr*>(e->where.native());
        e->info.ai_addrlen = e->where.native_size();
        e->info.ai_canonname = const_cast<char*>("ours");
        e->info.ai_next = *found;
        *found = &e->info;
    }
    return *found ? 0 : EAI_NONAME;
}

extern "C" void freeaddrinfo(addrinfo* first) noexcept {
    using function = void (*)(addrinfo*);
    static const auto real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "freeaddrinfo"));
    if (!first || !first->ai_canonname || std::strcmp(first->ai_canonname, "ours") != 0) return real(first);
    while (first) delete reinterpret_cast<entry*>(std::exchange(first, first->ai_next));
}

namespace {

using namespace net_tests;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

/// Where connections were tried, in order.
std::vector<std::string> attempts;

class connect_to_a_name : public clean_test {
protected:
    connect_to_a_name() {
        attempts.clear();
        coir::detail::sys.connect = [](int fd, const sockaddr* to, socklen_t size) {
            attempts.push_back(coir::net::address::from_native(to, size).ip());
            return ::connect(fd, to, size);
        };
    }

    tcp_stream connect(const coir::net::connect_options& options = {}) {
        return tcp_stream::connect("several.test", port, options);
    }

    tcp_listener good = listen_on_loopback();  // 127.0.0.1
    int port = good.local_address().port();
};

/// Takes no connection and refuses none, on another address of this machine.
struct silent_host {
    silent_host(const char* ip, int port)
        : listener(tcp_listener::bind(ip, port, {.backlog = 0})), first(tcp_stream::connect(listener.local_address())) {
        attempts.clear();
    }
    tcp_listener listener;
    tcp_stream first;
};

TEST_F(connect_to_a_name, the_next_address_is_tried_when_one_refuses) {
    answers = {"127.0.0.2", "127.0.0.3", "127.0.0.1"};
    EXPECT_EQ(connect().peer_address().ip(), "127.0.0.1");
    EXPECT_EQ(attempts, answers);
}

TEST_F(connect_to_a_name, the_next_address_is_tried_when_one_is_silent) {
    const silent_host silent("127.0.0.2", port);
    answers = {"127.0.0.2", "127.0.0.1"};
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(connect().peer_address().ip(), "127.0.0.1");
    EXPECT_GE(std::chrono::steady_clock::now() - start, 250ms) << "the first one gets some time";
}

TEST_F(connect_to_a_name, the_first_that_answers_spares_the_others) {
    answers = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
    EXPECT_EQ(connect().peer_address().ip(), "127.0.0.1");
    EXPECT_EQ(attempts, std::vector<std::string>{"127.0.0.1"});
}

TEST_F(connect_to_a_name, the_families_take_turns) {
    good.close();
    answers = {"::1", "fe80::1%lo", "127.0.0.2", "127.0.0.3", "127.0.0.4"};
    EXPECT_TRUE(failure_of([&] { connect(); }));
    EXPECT_EQ(attempts, (std::vector<std::string>{"::1", "127.0.0.2", "fe80::1%lo", "127.0.0.3", "127.0.0.4"}));
}

TEST_F(connect_to_a_name, when_all_fail_the_error_says_what_became_of_each) {
    good.close();
    answers = {"127.0.0.2", "127.0.0.3"};
    EXPECT_EQ(failure_of([&] { connect(); }), std::errc::connection_refused);
    const std::string text = text_of<std::system_error>([&] { connect(); });
    EXPECT_NE(text.find("several.test:" + std::to_string(port)), std::string::npos) << text;
    EXPECT_NE(text.find("Connection refused, Connection refused"), std::string::npos) << text;
}

TEST_F(connect_to_a_name, the_limit_is_for_all_addresses_together) {
    const silent_host first("127.0.0.2", port);
    const silent_host second("127.0.0.3", port);
    answers = {"127.0.0.2", "127.0.0.3"};
    EXPECT_THROW(connect({.timeout = 20ms}), coir::timed_out);
    EXPECT_THROW(connect({.timeout = 300ms}), coir::timed_out);
}

TEST_F(connect_to_a_name, cancelling_it_leaves_nothing_open) {
    const silent_host first("127.0.0.2", port);
    answers = {"127.0.0.2", "127.0.0.2", "127.0.0.2"};
    auto connecting = coir::spawn([&] { connect(); });
    while (attempts.empty()) coir::this_fiber::sleep_for(1ms);
    connecting.cancel();
    connecting.join();
    EXPECT_TRUE(connecting.was_cancelled());
}

TEST_F(connect_to_a_name, an_attempt_that_cannot_be_waited_for_is_an_error_like_any_other) {
    answers = {"127.0.0.2", "127.0.0.1"};
    coir::detail::sys.epoll_ctl = [](int, int, int, epoll_event*) {
        errno = ENOSPC;  // fs.epoll.max_user_watches
        return -1;
    };
    coir::timeout limit(10s);
    EXPECT_EQ(failure_of([&] { connect(); }), std::errc::no_space_on_device);
}

TEST_F(connect_to_a_name, a_connection_to_itself_is_none) {
    // With the port it will be given as its own, as a bind shows it: the kernel then connects a socket to
    // itself.
    good.close();
    coir::detail::sys.connect = [](int fd, const sockaddr* to, socklen_t size) {
        if (::bind(fd, to, size) != 0) return -1;
        return ::connect(fd, to, size);
    };
    answers = {"127.0.0.1"};
    EXPECT_EQ(failure_of([&] { connect(); }), std::errc::connection_refused);
}

}  // namespace
