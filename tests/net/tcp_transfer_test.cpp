// Many bytes, small buffers, urgent data, and numbers that are used again and again.
#include "net/net_test.hpp"

#include <coir/base/unique_fd.hpp>
#include <coir/task/task_group.hpp>

#include <fcntl.h>
#include <sys/resource.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace net_tests;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

class tcp_transfer : public clean_test {};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t large = 10'000'000;
#else
constexpr std::size_t large = 100'000'000;
#endif

/// Small for what is sent. With one smaller than a segment, each write would wait for a delayed
/// acknowledgement.
constexpr int small = 64 * 1024;

/// FNV-1a.
class hash {
public:
    void add(std::string_view bytes) {
        for (const char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    friend bool operator==(const hash&, const hash&) = default;

private:
    std::uint64_t value_ = 14695981039346656037u;
};

/// Sends in pieces of changing size; the hash of it all.
hash send_bytes(tcp_stream& stream, std::size_t total, std::uint64_t seed) {
    byte_sequence bytes(seed);
    const std::string block = bytes.next(1 << 20);
    hash sent;
    for (std::size_t done = 0, size = 1; done < total; size = (size * 5 + 1) % block.size() + 1) {
        const auto piece = std::string_view(block).substr(done % 4096, std::min(size, total - done));
        stream.write_all(piece);
        sent.add(piece);
        done += piece.size();
    }
    return sent;
}

hash receive_to_end(tcp_stream& stream, std::size_t buffer_size, std::size_t& total) {
    std::vector<char> buffer(buffer_size);
    hash received;
    while (const std::size_t n = stream.read_some(buffer)) {
        received.add({buffer.data(), n});
        total += n;
    }
    return received;
}

TEST_F(tcp_transfer, a_hundred_megabytes_arrive_through_small_buffers) {
    connected_pair ends;
    set_send_buffer(ends.client, small);
    std::size_t total = 0;
    auto receiving = coir::spawn([&] { return receive_to_end(ends.server, 50'000, total); });
    const hash sent = send_bytes(ends.client, large, 1);
    ends.client.shutdown_write();
    EXPECT_EQ(receiving.get(), sent);
    EXPECT_EQ(total, large);
}

TEST_F(tcp_transfer, both_directions_flow_at_once) {
    connected_pair ends;
    set_send_buffer(ends.client, small);
    set_send_buffer(ends.server, 2 * small);
    std::size_t at_server = 0;
    std::size_t at_client = 0;
    auto server_gets = coir::spawn([&] { return receive_to_end(ends.server, 333, at_server); });
    auto client_gets = coir::spawn([&] { return receive_to_end(ends.client, 7777, at_client); });
    const auto send_all = [](tcp_stream& from, std::uint64_t seed) {
        const hash sent = send_bytes(from, large / 20, seed);
        from.shutdown_write();
        return sent;
    };
    auto client_sends = coir::spawn([&] { return send_all(ends.client, 2); });
    auto server_sends = coir::spawn([&] { return send_all(ends.server, 3); });
    EXPECT_EQ(server_gets.get(), client_sends.get());
    EXPECT_EQ(client_gets.get(), server_sends.get());
    EXPECT_EQ(at_server, at_client);
}

TEST_F(tcp_transfer, write_some_takes_what_there_is_room_for) {
    connected_pair ends;
    set_send_buffer(ends.client, 4096);
    const std::string much(10'000'000, 'x');
    const std::size_t taken = ends.client.write_some(much);
    EXPECT_GT(taken, 0u);
    EXPECT_LT(taken, much.size());
}

TEST_F(tcp_transfer, one_byte_at_a_time_is_enough) {
    connected_pair ends;
    const std::string text = byte_sequence(4).next(2000);
    auto sending = coir::spawn([&] {
        for (const char& c : text) ends.client.write_all({&c, 1});
        ends.client.close();
    });
    std::string got;
    char c;
    while (ends.server.read_some({&c, 1})) got += c;
    EXPECT_EQ(got, text);
}

/// One of them, of which the out-of-band byte does not reach a reader.
void send_urgent(tcp_stream& stream, char c) { ASSERT_EQ(::send(stream.native_handle(), &c, 1, MSG_OOB), 1); }

TEST_F(tcp_transfer, what_follows_urgent_data_is_read_although_that_splits_a_read) {
    for (const bool reader_waits : {false, true}) {
        connected_pair ends;
        std::string got;
        auto reading = coir::spawn([&] {
            char buffer[256];
            while (const std::size_t n = ends.server.read_some(buffer)) got.append(buffer, n);
        });
        if (reader_waits) let_others_run();
        for (int i = 0; i < 10; ++i) {
            ends.client.write_all("before");
            send_urgent(ends.client, '!');
            ends.client.write_all("after");
            if (i % 2) let_others_run();
        }
        ends.client.write_all("the end");  // the last byte of all must not be the urgent one
        ends.client.close();
        reading.get();
        EXPECT_EQ(std::count(got.begin(), got.end(), 'b'), 10) << got;
        EXPECT_EQ(std::count(got.begin(), got.end(), 'a'), 10) << got;
        EXPECT_TRUE(got.ends_with("the end")) << got;
    }
}

TEST_F(tcp_transfer, all_that_came_before_and_after_an_urgent_byte_is_read_without_another_event) {
    connected_pair ends;
    auto waiting = coir::spawn([&] {
        char buffer[256];
        std::string got;
        while (got.size() < 11) got.append(buffer, ends.server.read_some(buffer));
        return got;
    });
    let_others_run();
    // All of it is there before the reader wakes, and nothing comes afterwards.
    ends.client.write_all("before");
    send_urgent(ends.client, '!');
    ends.client.write_all("after");
    EXPECT_EQ(waiting.get(), "beforeafter");
}

TEST_F(tcp_transfer, descriptor_zero_is_as_good_as_any) {
    tcp_listener listener = listen_on_loopback();
    const coir::unique_fd standard_input(::fcntl(0, F_DUPFD_CLOEXEC, 3));
    ::close(0);
    {
        tcp_stream client = tcp_stream::connect(listener.local_address());
        tcp_stream server = listener.accept();
        EXPECT_EQ(client.native_handle(), 0);
        EXPECT_TRUE(client.is_open());
        auto reading = coir::spawn([&] {
            char buffer[8];
            return client.read_some(buffer);
        });
        let_others_run();
        server.write_all("abc");
        EXPECT_EQ(reading.get(), 3u);
        client.close();
        listener.close();
        tcp_listener zero = listen_on_loopback();
        EXPECT_EQ(zero.native_handle(), 0);
        tcp_stream other = tcp_stream::connect(zero.local_address());
        EXPECT_TRUE(zero.accept().is_open());
    }
    ::dup2(standard_input.get(), 0);
}

TEST_F(tcp_transfer, numbers_that_are_reused_never_get_their_former_owners_events) {
    constexpr int connections = 1000;  // two descriptors each
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &raised);

    tcp_listener listener = listen_on_loopback();
    std::vector<tcp_stream> clients(connections);
    std::vector<tcp_stream> servers(connections);
    const auto open = [&](int i) {
        clients[i] = tcp_stream::connect(listener.local_address());
        servers[i] = listener.accept();
    };
    const auto read_number = [&](int i) {
        int number = -1;
        servers[i].read_exactly({&number, sizeof number});
        return number;
    };
    for (int i = 0; i < connections; ++i) open(i);
    for (int round = 0; round < 3; ++round) {
        std::vector<coir::task<int>> readers;
        for (int i = 0; i < connections; ++i) readers.push_back(coir::spawn(read_number, i));
        let_others_run();
        // All become ready; before anybody has looked, every other one goes and its numbers get new owners.
        for (int i = 0; i < connections; ++i) clients[i].write_all({&i, sizeof i});
        for (int i = 0; i < connections; i += 2) {
            clients[i] = {};
            servers[i] = {};
        }
        for (int i = 0; i < connections; i += 2) open(i);
        for (int i = 0; i < connections; ++i) {
            readers[i].join();  // with the number or with an error, but it ends
            EXPECT_TRUE(i % 2 == 0 || readers[i].get() == i);
        }
        // The new owners have nothing to read.
        auto first = coir::spawn(read_number, 0);
        let_others_run();
        EXPECT_FALSE(first.done());
        first.cancel();
        first.join();
    }
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
