// Every operation that waits can be cancelled and limited, and loses nothing by it.
#include "net/net_test.hpp"

#include <coir/base/error.hpp>
#include <coir/net/dns.hpp>
#include <coir/task/cancel.hpp>
#include <coir/task/timeout.hpp>

#include <functional>
#include <memory>
#include <string>

namespace {

using namespace net_tests;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

/// Something to wait on for ever, and the operation that does it.
struct operation {
    const char* name;
    std::function<std::function<void()>()> prepare;
};

void PrintTo(const operation& o, std::ostream* out) { *out << o.name; }

auto with_pair(void (*use)(tcp_stream&)) {
    return [use]() -> std::function<void()> {
        auto ends = std::make_shared<connected_pair>();
        fill_send_buffer(ends->client);
        return [ends, use] { use(ends->client); };
    };
}

std::function<void()> connect_to_full_backlog(bool by_name) {
    auto listener = std::make_shared<tcp_listener>(tcp_listener::bind("127.0.0.1", 0, {.backlog = 0}));
    auto first = std::make_shared<tcp_stream>(tcp_stream::connect(listener->local_address()));
    return [listener, first, by_name] {
        const coir::net::address at = listener->local_address();
        by_name ? tcp_stream::connect("localhost", at.port()) : tcp_stream::connect(at);
    };
}

std::function<void()> accept_from_nobody() {
    auto listener = std::make_shared<tcp_listener>(listen_on_loopback());
    return [listener] { listener->accept(); };
}

char scratch[64];

const operation operations[] = {
    {"read_some", with_pair([](tcp_stream& s) { s.read_some(scratch); })},
    {"read_some_with_code", with_pair([](tcp_stream& s) {
         std::error_code ec;
         s.read_some(scratch, ec);
     })},
    {"read_exactly", with_pair([](tcp_stream& s) { s.read_exactly(scratch); })},
    {"write_some", with_pair([](tcp_stream& s) { s.write_some("x"); })},
    {"write_all", with_pair([](tcp_stream& s) { s.write_all("x"); })},
    {"accept", accept_from_nobody},
    {"connect_to_an_address", [] { return connect_to_full_backlog(false); }},
    {"connect_to_a_name", [] { return connect_to_full_backlog(true); }},
};

class tcp_cancel : public clean_test, public ::testing::WithParamInterface<operation> {};

INSTANTIATE_TEST_SUITE_P(each, tcp_cancel, ::testing::ValuesIn(operations),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_P(tcp_cancel, ends_the_wait) {
    auto waiting = coir::spawn(GetParam().prepare());
    let_others_run();
    EXPECT_FALSE(waiting.done());
    waiting.cancel();
    waiting.join();
    EXPECT_TRUE(waiting.was_cancelled());
}

TEST_P(tcp_cancel, before_the_wait_ends_it_too) {
    auto use = GetParam().prepare();
    coir::task<void> self;
    self = coir::spawn([&] {
        self.cancel();
        use();
        ADD_FAILURE() << "the operation went on";
    });
    self.join();
    EXPECT_TRUE(self.was_cancelled());
}

TEST_P(tcp_cancel, of_one_wait_leaves_the_object_usable) {
    auto use = GetParam().prepare();
    for (int i = 0; i < 3; ++i) {
        auto waiting = coir::spawn(use);
        let_others_run();
        EXPECT_FALSE(waiting.done());
        waiting.cancel();
        waiting.join();
    }
}

TEST_P(tcp_cancel, a_timeout_ends_the_wait) {
    auto use = GetParam().prepare();
    coir::timeout limit(1ms);
    try {
        use();
        ADD_FAILURE() << "there was nothing to wait for";
    } catch (const coir::timed_out& e) {
        EXPECT_TRUE(limit.owns(e));
    }
}

TEST_P(tcp_cancel, a_timeout_that_is_over_leaves_no_time_to_wait) {
    auto use = GetParam().prepare();
    coir::timeout limit(-1s);
    EXPECT_THROW(use(), coir::timed_out);
}

class tcp_cancelled : public clean_test {};

TEST_F(tcp_cancelled, a_reader_takes_no_byte_with_it) {
    connected_pair ends;
    for (int i = 0; i < 10; ++i) {
        auto reading = coir::spawn([&] {
            char buffer[8];
            return ends.server.read_some(buffer);
        });
        let_others_run();
        const std::string sent = "byte" + std::to_string(i);
        ASSERT_EQ(::send(ends.client.native_handle(), sent.data(), sent.size(), 0),
                  5);  // no chance to switch
        reading.cancel();
        reading.join();
        char buffer[8];
        const std::size_t n = reading.was_cancelled() ? ends.server.read_some(buffer) : reading.get();
        EXPECT_EQ(n, 5u);
    }
}

TEST_F(tcp_cancelled, a_reader_leaves_the_place_to_the_next) {
    connected_pair ends;
    const auto read = [&] {
        char buffer[8];
        return ends.server.read_some(buffer);
    };
    auto first = coir::spawn(read);
    auto second = coir::spawn(read);
    let_others_run();
    first.cancel();
    ends.client.write_all("abc");
    EXPECT_EQ(second.get(), 3u);
    EXPECT_TRUE(first.was_cancelled());
}

TEST_F(tcp_cancelled, an_acceptor_loses_no_connection) {
    tcp_listener listener = listen_on_loopback();
    auto accepting = coir::spawn([&] { return listener.accept(); });
    let_others_run();
    tcp_stream client = tcp_stream::connect(listener.local_address());
    accepting.cancel();
    accepting.join();
    tcp_stream server = accepting.was_cancelled() ? listener.accept() : std::move(accepting).get();
    EXPECT_EQ(server.peer_address(), client.local_address());
}

TEST_F(tcp_cancelled, a_shield_lets_a_goodbye_through) {
    connected_pair ends;
    auto session = coir::spawn([&] {
        struct goodbye {
            ~goodbye() {
                coir::shield mask;
                stream.write_all("bye");
            }
            tcp_stream& stream;
        } at_end{ends.server};
        char buffer[8];
        ends.server.read_some(buffer);
    });
    let_others_run();
    session.cancel();
    char got[3];
    ends.client.read_exactly(got);
    EXPECT_EQ(std::string(got, 3), "bye");
    session.join();
}

TEST_F(tcp_cancelled, a_limit_of_another_scope_passes_through_connect) {
    auto use = connect_to_full_backlog(true);
    coir::timeout outer(5ms);
    try {
        coir::timeout inner(for_ever);
        use();
    } catch (const coir::timed_out& e) {
        EXPECT_TRUE(outer.owns(e));
    }
    EXPECT_TRUE(outer.expired());
}

TEST_F(tcp_cancelled, what_is_done_in_time_disturbs_nothing_later) {
    connected_pair ends;
    for (int i = 0; i < 100; ++i) {
        coir::timeout limit(for_ever);
        ends.client.write_all("x");
        char buffer[1];
        ends.server.read_exactly(buffer);
    }
}

}  // namespace
