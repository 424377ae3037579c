#include <coir/net/dns.hpp>

#include "net/net_test.hpp"

#include <coir/base/error.hpp>
#include <coir/task/timeout.hpp>
#include <coir/task/wait.hpp>

#include <dlfcn.h>
#include <netdb.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace {
std::atomic<bool> is_open{true};
}

/// Comes before the system's, which it calls. The name "slow.test" takes until `is_open`; then there is no
/// such host.
extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
    using function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    if (std::string(host) != "slow.test") return real(host, port, hints, found);
    if ((hints->ai_flags & AI_NUMERICHOST) == 0) is_open.wait(false);
    return EAI_NONAME;
}

namespace {

using namespace net_tests;
using coir::net::address;
using coir::net::resolve;

/// Names that are slow to look up, while it lives.
struct slow_names {
    slow_names() { is_open = false; }
    ~slow_names() { open(); }
    void open() {
        is_open = true;
        is_open.notify_all();
    }
};

class dns : public clean_test {};

TEST_F(dns, numbers_are_converted_without_waiting) {
    bool others_ran = false;
    auto other = coir::spawn([&] { others_ran = true; });
    EXPECT_EQ(resolve("127.0.0.1", 80), std::vector{address("127.0.0.1", 80)});
    EXPECT_EQ(resolve("::1", 443), std::vector{address("::1", 443)});
    EXPECT_FALSE(others_ran);
    other.join();
}

TEST_F(dns, localhost_is_this_machine) {
    const std::vector<address> found = resolve("localhost", 80);
    ASSERT_FALSE(found.empty());
    for (const address& a : found) {
        EXPECT_EQ(a.port(), 80);
        EXPECT_TRUE(a.ip().starts_with("127.") || a.ip() == "::1") << a;
    }
}

TEST_F(dns, others_run_while_a_name_is_looked_up) {
    slow_names names;
    auto other = coir::spawn([&] { names.open(); });
    EXPECT_TRUE(failure_of([] { resolve("slow.test", 80); }));
    EXPECT_TRUE(other.done());
}

TEST_F(dns, no_name_and_a_star_are_all_addresses) {
    EXPECT_EQ(resolve("", 80), std::vector{address("0.0.0.0", 80)});
    EXPECT_EQ(resolve("*", 80), std::vector{address("0.0.0.0", 80)});
}

TEST_F(dns, an_unknown_name_is_an_error_that_names_it) {
    const std::string text = text_of<std::system_error>([] { resolve("no-such-host.invalid", 80); });
    EXPECT_NE(text.find("no-such-host.invalid"), std::string::npos) << text;
    const std::error_code ec = failure_of([] { resolve("no-such-host.invalid", 80); });
    EXPECT_EQ(ec.category().name(), std::string("getaddrinfo"));
    EXPECT_FALSE(ec.message().empty());
}

TEST_F(dns, names_that_make_no_sense_are_errors) {
    std::string long_label(64, 'a');
    long_label += ".invalid";
    const std::string table[] = {
        "a b",
        "..",
        "-",
        "[::1]",
        "300.300.300.300",
        long_label,
        std::string(5000, 'a'),
        "fe80::1%nosuchlink",
        "http://localhost",
        "localhost:80",
        "127.0.0.1\n",
    };
    for (const std::string& name : table) {
        const std::string text = text_of<std::system_error>([&] { resolve(name, 80); });
        EXPECT_NE(text.find(name), std::string::npos) << "'" << name << "': " << text;
    }
}

TEST_F(dns, a_nul_inside_does_not_hide_what_follows) {
    using namespace std::string_literals;
    EXPECT_THROW(resolve("127.0.0.1\0.example.org"s, 80), std::exception);
    EXPECT_THROW(resolve("localhost\0.example.org"s, 80), std::exception);
}

TEST_F(dns, ports_that_make_no_sense_are_quoted) {
    for (const int port : {-1, 65536, 1'000'000}) {
        for (const char* host : {"127.0.0.1", "localhost", "no-such-host.invalid"}) {
            const std::string text = text_of<std::invalid_argument>([&] { resolve(host, port); });
            EXPECT_NE(text.find(std::to_string(port)), std::string::npos) << text;
        }
    }
}

TEST_F(dns, a_lookup_can_be_cancelled_and_its_answer_is_dropped) {
    {
        const slow_names names;
        for (int i = 0; i < 20; ++i) {
            auto looking = coir::spawn([] { return resolve("slow.test", 80); });
            let_others_run();
            looking.cancel();
            looking.join();
            EXPECT_TRUE(looking.was_cancelled());
        }
    }
    EXPECT_FALSE(resolve("localhost", 80).empty());
}

TEST_F(dns, a_lookup_can_be_limited) {
    const slow_names names;
    coir::timeout limit(1ms);
    EXPECT_THROW(resolve("slow.test", 80), coir::timed_out);
}

TEST_F(dns, many_at_once_all_get_their_answer) {
    std::vector<coir::task<std::vector<address>>> lookups;
    for (int port = 1; port <= 100; ++port) lookups.push_back(coir::spawn(resolve, "localhost", port));
    const auto found = coir::gather(lookups);
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].front().port(), i + 1);
}

}  // namespace
