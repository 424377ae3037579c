// Connecting, reading and writing; what the other side may do meanwhile.
#include "net/net_test.hpp"

#include <coir/task/timeout.hpp>

#include <fcntl.h>
#include <netinet/tcp.h>

#include <array>
#include <csignal>
#include <string>

namespace {

using namespace net_tests;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

class tcp : public clean_test {};

std::string read_to_end(tcp_stream& stream) {
    std::string all;
    char block[4096];
    while (const std::size_t n = stream.read_some(block)) all.append(block, n);
    return all;
}

TEST_F(tcp, what_one_end_writes_the_other_end_reads) {
    connected_pair ends;
    ends.client.write_all("hello");
    char got[5];
    ends.server.read_exactly(got);
    EXPECT_EQ(std::string(got, 5), "hello");
    ends.server.write_all(std::string("there"));
    ends.client.read_exactly(got);
    EXPECT_EQ(std::string(got, 5), "there");
}

TEST_F(tcp, the_ends_know_each_others_addresses) {
    connected_pair ends;
    EXPECT_EQ(ends.client.local_address(), ends.server.peer_address());
    EXPECT_EQ(ends.client.peer_address(), ends.server.local_address());
    EXPECT_NE(ends.client.local_address().port(), 0);
}

TEST_F(tcp, a_name_can_be_connected_to) {
    tcp_listener listener = listen_on_loopback();
    tcp_stream client = tcp_stream::connect("localhost", listener.local_address().port());
    EXPECT_TRUE(listener.accept().is_open());
}

TEST_F(tcp, a_listener_takes_ipv6_and_on_all_addresses_both_families) {
    if (!failure_of([] { tcp_listener::bind("::1", 0); })) {
        tcp_listener six = tcp_listener::bind("::1", 0);
        tcp_stream client = tcp_stream::connect("::1", six.local_address().port());
        EXPECT_TRUE(six.accept().peer_address().is_v6());
        tcp_listener both = tcp_listener::bind("::", 0);
        tcp_stream four = tcp_stream::connect("127.0.0.1", both.local_address().port());
        EXPECT_EQ(both.accept().peer_address().ip(), "::ffff:127.0.0.1");
        tcp_listener only = tcp_listener::bind("::", 0, {.v6_only = true});
        EXPECT_EQ(failure_of([&] { tcp_stream::connect("127.0.0.1", only.local_address().port()); }),
                  std::errc::connection_refused);
    }
}

TEST_F(tcp, no_delay_is_on_at_both_ends) {
    connected_pair ends;
    for (const tcp_stream* stream : {&ends.client, &ends.server}) {
        int on = 0;
        socklen_t size = sizeof on;
        ASSERT_EQ(::getsockopt(stream->native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
        EXPECT_NE(on, 0);
    }
    ends.client.set_no_delay(false);
}

TEST_F(tcp, descriptors_are_closed_on_exec_and_do_not_block) {
    tcp_listener listener = listen_on_loopback();
    tcp_stream client = tcp_stream::connect(listener.local_address());
    tcp_stream server = listener.accept();
    for (const int fd : {listener.native_handle(), client.native_handle(), server.native_handle()}) {
        EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
        EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
    }
}

TEST_F(tcp, a_refused_connection_names_the_address) {
    const coir::net::address nobody = listen_on_loopback().local_address();
    EXPECT_EQ(failure_of([&] { tcp_stream::connect(nobody); }), std::errc::connection_refused);
    const std::string text = text_of([&] { tcp_stream::connect(nobody); });
    EXPECT_NE(text.find("connect " + nobody.to_string()), std::string::npos) << text;
    const std::string by_name = text_of([&] { tcp_stream::connect("localhost", nobody.port()); });
    EXPECT_NE(by_name.find("connect localhost:" + std::to_string(nobody.port())), std::string::npos) << by_name;
}

TEST_F(tcp, a_listener_says_which_address_it_did_not_get) {
    tcp_listener first = listen_on_loopback();
    const coir::net::address taken = first.local_address();
    EXPECT_EQ(failure_of([&] { tcp_listener::bind(taken); }), std::errc::address_in_use);
    EXPECT_NE(text_of([&] { tcp_listener::bind(taken); }).find(taken.to_string()), std::string::npos);
}

TEST_F(tcp, listeners_may_share_a_port) {
    tcp_listener first = tcp_listener::bind("127.0.0.1", 0, {.reuse_port = true});
    tcp_listener second = tcp_listener::bind(first.local_address(), {.reuse_port = true});
    EXPECT_EQ(first.local_address(), second.local_address());
}

TEST_F(tcp, connecting_ends_when_its_limit_is_over) {
    // One place in the backlog, and that is taken: the kernel lets the next one wait.
    tcp_listener full = tcp_listener::bind("127.0.0.1", 0, {.backlog = 0});
    tcp_stream first = tcp_stream::connect(full.local_address());
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THROW(tcp_stream::connect(full.local_address(), {.timeout = 20ms}), coir::timed_out);
    EXPECT_THROW(tcp_stream::connect("localhost", full.local_address().port(), {.timeout = 20ms}), coir::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 40ms);
    EXPECT_TRUE(full.accept().is_open());
}

TEST_F(tcp, the_end_of_the_stream_is_zero_bytes_again_and_again) {
    connected_pair ends;
    ends.client.close();
    char buffer[8];
    EXPECT_EQ(ends.server.read_some(buffer), 0u);
    EXPECT_EQ(ends.server.read_some(buffer), 0u);
}

TEST_F(tcp, an_empty_buffer_reads_and_writes_nothing) {
    connected_pair ends;
    EXPECT_EQ(ends.client.read_some({nullptr, 0}), 0u);
    EXPECT_EQ(ends.client.write_some({nullptr, 0}), 0u);
    ends.client.write_all("");
    ends.client.read_exactly({nullptr, 0});
}

TEST_F(tcp, either_side_may_end_its_half_and_read_on) {
    for (const bool client_first : {true, false}) {
        connected_pair ends;
        tcp_stream& early = client_first ? ends.client : ends.server;
        tcp_stream& late = client_first ? ends.server : ends.client;
        early.write_all("question");
        early.shutdown_write();
        EXPECT_EQ(read_to_end(late), "question");
        late.write_all("answer");
        late.shutdown_write();
        EXPECT_EQ(read_to_end(early), "answer");
        EXPECT_EQ(failure_of([&] { early.write_all("more"); }), std::errc::broken_pipe);
    }
}

TEST_F(tcp, an_end_that_comes_together_with_data_is_seen) {
    for (const bool server_waits : {false, true}) {
        connected_pair ends;
        auto reading = coir::spawn([&] { return read_to_end(ends.server); });
        if (server_waits) let_others_run();
        ends.client.write_all("last words");
        ends.client.close();
        EXPECT_EQ(reading.get(), "last words");
    }
}

TEST_F(tcp, a_reset_is_an_error) {
    connected_pair ends;
    auto reading = coir::spawn([&] { return failure_of([&] { read_to_end(ends.server); }); });
    let_others_run();
    reset_on_close(ends.client);
    ends.client.close();
    EXPECT_EQ(reading.get(), std::errc::connection_reset);
}

TEST_F(tcp, a_reset_names_the_descriptor) {
    connected_pair ends;
    reset_on_close(ends.client);
    ends.client.close();
    const std::string text = text_of<std::system_error>([&] { read_to_end(ends.server); });
    EXPECT_NE(text.find("read fd " + std::to_string(ends.server.native_handle())), std::string::npos) << text;
}

TEST_F(tcp, a_reset_wakes_a_writer) {
    connected_pair ends;
    fill_send_buffer(ends.server);
    auto writing = coir::spawn([&] { return failure_of([&] { ends.server.write_all("one more"); }); });
    let_others_run();
    EXPECT_FALSE(writing.done());
    reset_on_close(ends.client);
    ends.client.close();
    const std::error_code ec = writing.get();
    EXPECT_TRUE(ec == std::errc::connection_reset || ec == std::errc::broken_pipe) << ec.message();
}

TEST_F(tcp, writing_to_a_peer_that_is_gone_is_an_error_and_no_signal) {
    static volatile std::sig_atomic_t signals = 0;
    const auto former = std::signal(SIGPIPE, [](int) { signals = signals + 1; });
    connected_pair ends;
    ends.client.close();
    std::error_code ec;
    for (int i = 0; i < 1000 && !ec; ++i) {
        ends.server.write_all("is anybody there?", ec);
        let_others_run();
    }
    EXPECT_TRUE(ec == std::errc::broken_pipe || ec == std::errc::connection_reset) << ec.message();
    EXPECT_EQ(failure_of([&] { ends.server.write_all("?"); }), std::errc::broken_pipe);
    EXPECT_EQ(failure_of([&] { ends.server.write_some("?"); }), std::errc::broken_pipe);
    EXPECT_EQ(signals, 0);
    std::signal(SIGPIPE, former);
}

TEST_F(tcp, read_exactly_says_how_much_came_before_the_end) {
    connected_pair ends;
    ends.client.write_all("abc");
    ends.client.close();
    char buffer[8];
    try {
        ends.server.read_exactly(buffer);
        ADD_FAILURE() << "it read what was never sent";
    } catch (const coir::net::end_of_stream& e) {
        EXPECT_EQ(e.bytes_read(), 3u);
    }
}

TEST_F(tcp, read_exactly_waits_for_all_of_it) {
    connected_pair ends;
    std::array<char, 6> buffer{};
    auto reading = coir::spawn([&] { ends.server.read_exactly(buffer); });
    for (const std::string piece : {"ab", "cd", "ef"}) {
        let_others_run();
        EXPECT_FALSE(reading.done());
        ends.client.write_all(piece);
    }
    reading.get();
    EXPECT_EQ(std::string(buffer.data(), buffer.size()), "abcdef");
}

TEST_F(tcp, every_operation_can_fill_an_error_code_instead) {
    std::error_code ec = std::make_error_code(std::errc::io_error);
    tcp_listener listener = tcp_listener::bind("127.0.0.1", 0, {}, ec);
    EXPECT_FALSE(ec);
    tcp_stream client = tcp_stream::connect(listener.local_address(), {}, ec);
    EXPECT_FALSE(ec);
    ec = std::make_error_code(std::errc::io_error);
    tcp_stream server = listener.accept(ec);
    EXPECT_FALSE(ec);

    char buffer[4];
    client.write_all("abcd", ec);
    EXPECT_EQ(server.read_some(buffer, ec), 4u);
    client.write_all("abc", ec);
    client.shutdown_write(ec);
    EXPECT_FALSE(ec);
    EXPECT_EQ(server.read_exactly(buffer, ec), 3u);
    EXPECT_FALSE(ec) << "the end of the stream is no error";
    EXPECT_EQ(client.write_some("x", ec), 0u);
    EXPECT_EQ(ec, std::errc::broken_pipe);

    const coir::net::address at = listener.local_address();
    EXPECT_FALSE(tcp_listener::bind(at, {}, ec).is_open());
    EXPECT_EQ(ec, std::errc::address_in_use);
    listener.close();
    EXPECT_FALSE(listener.accept(ec).is_open());
    EXPECT_EQ(ec, std::errc::bad_file_descriptor);
    EXPECT_FALSE(tcp_stream::connect(at, {}, ec).is_open());
    EXPECT_EQ(ec, std::errc::connection_refused);
    EXPECT_FALSE(tcp_stream::connect("127.0.0.1", at.port(), {}, ec).is_open());
    EXPECT_EQ(ec, std::errc::connection_refused);
    EXPECT_FALSE(tcp_stream::connect("no-such-host.invalid", 80, {}, ec).is_open());
    EXPECT_TRUE(ec);
    EXPECT_FALSE(tcp_listener::bind("no-such-host.invalid", 80, {}, ec).is_open());
    EXPECT_TRUE(ec);
}

TEST_F(tcp, ports_that_make_no_sense_are_quoted) {
    for (const int port : {-1, 65536, 1 << 20}) {
        const auto quoted = [port](const std::string& text) {
            return text.find(std::to_string(port)) != std::string::npos;
        };
        EXPECT_TRUE(quoted(text_of<std::invalid_argument>([&] { tcp_stream::connect("127.0.0.1", port); })));
        EXPECT_TRUE(quoted(text_of<std::invalid_argument>([&] { tcp_listener::bind("127.0.0.1", port); })));
    }
}

}  // namespace
