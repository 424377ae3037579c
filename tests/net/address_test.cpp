#include <coir/net/address.hpp>

#include "net/net_test.hpp"

#include <sys/un.h>

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace net_tests;
using coir::net::address;

using namespace std::string_literals;

struct good_address {
    std::string text;
    std::string ip;
    int port;
    bool is_v6;
};

TEST(address, reads_and_prints_what_is_right) {
    const good_address table[] = {
        {"127.0.0.1:80", "127.0.0.1", 80, false},
        {"0.0.0.0:0", "0.0.0.0", 0, false},
        {"255.255.255.255:65535", "255.255.255.255", 65535, false},
        {"[::1]:80", "::1", 80, true},
        {"[::]:0", "::", 0, true},
        {"[2001:db8::ff]:443", "2001:db8::ff", 443, true},
        {"[::ffff:1.2.3.4]:1", "::ffff:1.2.3.4", 1, true},
        {"[fe80::1%lo]:22", "fe80::1%lo", 22, true},
    };
    for (const good_address& expected : table) {
        const address a = address::parse(expected.text);
        EXPECT_EQ(a.ip(), expected.ip);
        EXPECT_EQ(a.port(), expected.port);
        EXPECT_EQ(a.is_v6(), expected.is_v6);
        EXPECT_EQ(a.to_string(), expected.text);
        EXPECT_EQ(a, address(expected.ip, expected.port));
        EXPECT_EQ(a, address::from_native(a.native(), a.native_size()));
    }
}

TEST(address, other_spellings_mean_the_same) {
    EXPECT_EQ(address::parse("[0:0:0:0:0:0:0:1]:80"), address("::1", 80));
    EXPECT_EQ(address::parse("[2001:DB8::A]:80"), address("2001:db8::a", 80));
    EXPECT_EQ(address::parse("127.0.0.1:0080"), address("127.0.0.1", 80));
}

TEST(address, quotes_what_makes_no_sense) {
    const std::string table[] = {
        "",
        ":",
        ":80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "256.0.0.1:80",
        "127.0.0.1:80 ",
        " 127.0.0.1:80",
        "127.0.0.1: 80",
        "::1:80",
        "[::1]",
        "[::1]:",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[127.0.0.1]:80",
        "[::g]:80",
        "[1:2]:80",
        "localhost:80",
        "127.0.0.1:0x50",
        "127.0.0.1:+80",
        "127.0.0.1:8 0",
        "[::1%nosuchlink]:80",
        "127.0.0.1:99999999999999999999",
    };
    for (const std::string& text : table) {
        const std::string complaint = text_of<std::invalid_argument>([&] { address::parse(text); });
        const std::string host = text.substr(0, text.rfind(':'));
        EXPECT_FALSE(complaint.empty()) << "'" << text << "' was accepted";
        EXPECT_TRUE(complaint.find(text) != std::string::npos ||
                    complaint.find("\"" + std::string(host.starts_with('[') ? host.substr(1, host.size() - 2) : host) +
                                   "\"") != std::string::npos)
            << "'" << text << "' is not quoted in: " << complaint;
    }
}

TEST(address, a_nul_inside_does_not_hide_what_follows) {
    EXPECT_THROW(address("127.0.0.1\0.example.org"s, 80), std::invalid_argument);
    EXPECT_THROW(address("::1\0junk"s, 80), std::invalid_argument);
    EXPECT_THROW(address::parse("127.0.0.1\0junk:80"s), std::invalid_argument);
}

TEST(address, quotes_ports_out_of_range) {
    for (const char* port : {"-1", "65536", "100000"}) {
        const std::string parsed = text_of<std::invalid_argument>([&] { address::parse("1.2.3.4:"s + port); });
        EXPECT_NE(parsed.find(port), std::string::npos) << parsed;
        const std::string given = text_of<std::invalid_argument>([&] { address("1.2.3.4", std::atoi(port)); });
        EXPECT_NE(given.find(port), std::string::npos) << given;
    }
    EXPECT_EQ(coir::net::checked_port(0), 0);
    EXPECT_EQ(coir::net::checked_port(65535), 65535);
}

TEST(address, takes_numbers_only) {
    for (const char* name : {"localhost", "", "*", "127.1", "0x7f.0.0.1", "[::1]"}) {
        const std::string complaint = text_of<std::invalid_argument>([&] { address(name, 80); });
        EXPECT_NE(complaint.find("\""s + name + "\""), std::string::npos) << complaint;
    }
}

TEST(address, without_anything_is_all_zeros) {
    EXPECT_EQ(address().to_string(), "0.0.0.0:0");
    EXPECT_EQ(address(), address("0.0.0.0", 0));
}

TEST(address, differs_in_family_ip_port_and_scope) {
    EXPECT_NE(address("127.0.0.1", 1), address("127.0.0.1", 2));
    EXPECT_NE(address("127.0.0.1", 1), address("127.0.0.2", 1));
    EXPECT_NE(address("::1", 1), address("::2", 1));
    EXPECT_NE(address("0.0.0.0", 1), address("::", 1));
    EXPECT_NE(address("::ffff:1.2.3.4", 1), address("1.2.3.4", 1));
    EXPECT_NE(address("fe80::1%lo", 1), address("fe80::1", 1));
}

TEST(address, is_printed_by_streams) {
    std::ostringstream out;
    out << address("::1", 80) << " and " << address("127.0.0.1", 81);
    EXPECT_EQ(out.str(), "[::1]:80 and 127.0.0.1:81");
}

TEST(address, of_another_family_is_refused) {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    EXPECT_THROW(address::from_native(reinterpret_cast<sockaddr*>(&local), sizeof local), std::invalid_argument);
    const address whole("1.2.3.4", 80);
    EXPECT_THROW(address::from_native(whole.native(), sizeof(sockaddr_in) - 1), std::invalid_argument);
    const address six("::1", 80);
    EXPECT_THROW(address::from_native(six.native(), sizeof(sockaddr_in)), std::invalid_argument);
}

}  // namespace
