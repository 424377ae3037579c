// Closing: who waits is woken, wherever the closing comes from; and what a stream is that was closed or
// moved.
#include "net/net_test.hpp"

#include <coir/base/unique_fd.hpp>

#include <fcntl.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace net_tests;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

class tcp_close : public clean_test {};

constexpr auto closed_code = std::errc::bad_file_descriptor;

/// Runs `close` when all tasks wait; each must then end, and with that error.
template <class Close>
void expect_woken(std::vector<coir::task<std::error_code>> waiting, Close close) {
    let_others_run();
    for (const auto& task : waiting) EXPECT_FALSE(task.done());
    close();
    for (const auto& task : waiting) EXPECT_EQ(task.get(), closed_code);
}

auto reader_of(tcp_stream& stream) {
    return coir::spawn([&stream] {
        char buffer[8];
        return failure_of([&] { stream.read_some(buffer); });
    });
}

auto writer_to(tcp_stream& stream) {
    return coir::spawn([&stream] { return failure_of([&] { stream.write_all("x"); }); });
}

auto acceptor_of(tcp_listener& listener) {
    return coir::spawn([&listener] { return failure_of([&] { listener.accept(); }); });
}

TEST_F(tcp_close, wakes_readers_and_writers) {
    connected_pair ends;
    fill_send_buffer(ends.client);
    expect_woken({reader_of(ends.client), reader_of(ends.client), writer_to(ends.client), writer_to(ends.client)},
                 [&] { ends.client.close(); });
    EXPECT_FALSE(ends.client.is_open());
}

TEST_F(tcp_close, from_another_thread_wakes_readers_and_writers) {
    connected_pair ends;
    fill_send_buffer(ends.client);
    expect_woken({reader_of(ends.client), writer_to(ends.client)},
                 [&] { std::thread([&] { ends.client.close(); }).join(); });
}

TEST_F(tcp_close, wakes_acceptors) {
    tcp_listener listener = listen_on_loopback();
    expect_woken({acceptor_of(listener), acceptor_of(listener)}, [&] { listener.close(); });
}

TEST_F(tcp_close, from_another_thread_wakes_acceptors) {
    tcp_listener listener = listen_on_loopback();
    expect_woken({acceptor_of(listener), acceptor_of(listener)},
                 [&] { std::thread([&] { listener.close(); }).join(); });
}

TEST_F(tcp_close, destroying_the_stream_under_a_reader_wakes_it) {
    auto ends = std::make_unique<connected_pair>();
    expect_woken({reader_of(ends->client), reader_of(ends->server)}, [&] { ends.reset(); });
}

TEST_F(tcp_close, ends_the_connection_at_the_other_side) {
    connected_pair ends;
    auto reading = coir::spawn([&] {
        char buffer[8];
        return ends.server.read_some(buffer);
    });
    let_others_run();
    ends.client.close();
    EXPECT_EQ(reading.get(), 0u);
}

TEST_F(tcp_close, a_second_time_does_nothing_to_the_next_owner_of_the_number) {
    connected_pair ends;
    const int number = ends.client.native_handle();
    ends.client.close();
    ends.client.close();
    const coir::unique_fd next(::fcntl(ends.server.native_handle(), F_DUPFD_CLOEXEC, number));
    ASSERT_EQ(next.get(), number);
    ends.client.close();
    EXPECT_GE(::fcntl(next.get(), F_GETFD), 0);
}

TEST_F(tcp_close, what_is_closed_refuses_everything_in_words) {
    connected_pair ends;
    ends.client.close();
    char buffer[8];
    EXPECT_EQ(ends.client.native_handle(), -1);
    EXPECT_EQ(failure_of([&] { ends.client.read_some(buffer); }), closed_code);
    EXPECT_EQ(failure_of([&] { ends.client.read_exactly(buffer); }), closed_code);
    EXPECT_EQ(failure_of([&] { ends.client.write_some("x"); }), closed_code);
    EXPECT_EQ(failure_of([&] { ends.client.write_all("x"); }), closed_code);
    EXPECT_EQ(failure_of([&] { ends.client.shutdown_write(); }), closed_code);
    EXPECT_EQ(failure_of([&] { ends.client.local_address(); }), closed_code);
    EXPECT_EQ(failure_of([&] { ends.client.peer_address(); }), closed_code);
    EXPECT_EQ(failure_of([&] { ends.client.set_no_delay(true); }), closed_code);
    const std::string text = text_of([&] { ends.client.read_some(buffer); });
    EXPECT_NE(text.find("read: the socket is closed"), std::string::npos) << text;
}

TEST_F(tcp_close, an_empty_stream_or_listener_refuses_everything) {
    tcp_stream stream;
    tcp_listener listener;
    char buffer[8];
    EXPECT_FALSE(stream.is_open());
    EXPECT_FALSE(listener.is_open());
    EXPECT_EQ(failure_of([&] { stream.read_some(buffer); }), closed_code);
    EXPECT_EQ(failure_of([&] { stream.write_all("x"); }), closed_code);
    EXPECT_EQ(failure_of([&] { stream.shutdown_write(); }), closed_code);
    EXPECT_EQ(failure_of([&] { listener.accept(); }), closed_code);
    EXPECT_EQ(failure_of([&] { listener.local_address(); }), closed_code);
    stream.close();
    listener.close();
}

TEST_F(tcp_close, a_moved_stream_is_the_same_connection) {
    connected_pair ends;
    tcp_stream moved = std::move(ends.client);
    EXPECT_FALSE(ends.client.is_open());
    EXPECT_EQ(failure_of([&] { ends.client.write_all("x"); }), closed_code);
    moved.write_all("x");
    char buffer[8];
    EXPECT_EQ(ends.server.read_some(buffer), 1u);
}

TEST_F(tcp_close, a_waiting_reader_follows_no_move) {
    connected_pair ends;
    auto reading = coir::spawn([&] {
        char buffer[8];
        return ends.client.read_some(buffer);
    });
    let_others_run();
    tcp_stream moved = std::move(ends.client);
    ends.server.write_all("abc");
    EXPECT_EQ(reading.get(), 3u);
}

TEST_F(tcp_close, assigning_to_a_stream_closes_what_it_held) {
    connected_pair first;
    connected_pair second;
    first.client = std::move(second.client);
    char buffer[8];
    ASSERT_FALSE(second.client.is_open());
    EXPECT_EQ(first.server.read_some(buffer), 0u);
    first.client.write_all("x");
    EXPECT_EQ(second.server.read_some(buffer), 1u);
}

TEST_F(tcp_close, assigning_a_stream_to_itself_keeps_it) {
    connected_pair ends;
    tcp_stream& same = ends.client;
    ends.client = std::move(same);
    EXPECT_TRUE(ends.client.is_open());
}

TEST_F(tcp_close, assigning_to_a_listener_closes_what_it_held) {
    tcp_listener listener = listen_on_loopback();
    const coir::net::address before = listener.local_address();
    tcp_listener other = listen_on_loopback();
    listener = std::move(other);
    EXPECT_FALSE(other.is_open());
    EXPECT_EQ(failure_of([&] { tcp_stream::connect(before); }), std::errc::connection_refused);
}

/// What other threads do in between a look at the stream and its use has to leave the next owner of the
/// number alone.
template <class Replace, class Use>
void expect_open_during(tcp_stream& stream, Replace replace, Use use) {
    static tcp_stream* victim;
    static int open_in_call;
    victim = &stream;
    open_in_call = 0;
    replace([](int fd) {
        std::thread([] { victim->close(); }).join();
        open_in_call = ::fcntl(fd, F_GETFD) >= 0 ? 1 : -1;
    });
    use();
    EXPECT_EQ(open_in_call, 1) << "the call was made on a number that others may have by now";
}

using interference = void (*)(int);
interference interfere;

TEST_F(tcp_close, during_a_read_the_number_stays_taken) {
    connected_pair ends;
    expect_open_during(
        ends.client,
        [](interference f) {
            interfere = f;
            coir::detail::sys.recv = [](int fd, void* data, std::size_t size, int flags) -> ssize_t {
                interfere(fd);
                return ::recv(fd, data, size, flags);
            };
        },
        [&] {
            char buffer[8];
            EXPECT_EQ(failure_of([&] { ends.client.read_some(buffer); }), closed_code);
        });
}

TEST_F(tcp_close, during_a_shutdown_the_number_stays_taken) {
    connected_pair ends;
    expect_open_during(
        ends.client,
        [](interference f) {
            interfere = f;
            coir::detail::sys.shutdown = [](int fd, int how) {
                interfere(fd);
                return ::shutdown(fd, how);
            };
        },
        [&] {
            std::error_code ec;
            ends.client.shutdown_write(ec);
        });
}

TEST_F(tcp_close, during_the_setting_of_an_option_the_number_stays_taken) {
    connected_pair ends;
    expect_open_during(
        ends.client,
        [](interference f) {
            interfere = f;
            coir::detail::sys.setsockopt = [](int fd, int level, int name, const void* value, socklen_t size) {
                interfere(fd);
                return ::setsockopt(fd, level, name, value, size);
            };
        },
        [&] { failure_of([&] { ends.client.set_no_delay(true); }); });
}

TEST_F(tcp_close, many_threads_close_one_stream_while_it_is_read_and_written) {
    for (int round = 0; round < 200; ++round) {
        connected_pair ends;
        auto reader = reader_of(ends.client);
        auto writer = coir::spawn([&] {
            std::error_code ec;
            while (!ec) ends.client.write_all("some bytes", ec);
            return ec;
        });
        std::thread first([&] { ends.client.close(); });
        std::thread second([&] { ends.client.close(); });
        EXPECT_EQ(reader.get(), closed_code);
        EXPECT_EQ(writer.get(), closed_code);
        first.join();
        second.join();
    }
}

}  // namespace
