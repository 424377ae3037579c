// A stream belongs to one hub at a time, and goes to another when nobody waits on it.
#include "net/net_test.hpp"

#include <coir/base/error.hpp>

#include <string>
#include <thread>
#include <vector>

namespace {

using namespace net_tests;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

class tcp_hubs : public clean_test {};

template <class Function>
void on_another_thread(Function function) {
    std::thread(std::move(function)).join();
}

std::string read_once(tcp_stream& stream) {
    char buffer[64];
    return std::string(buffer, stream.read_some(buffer));
}

TEST_F(tcp_hubs, waiting_from_two_at_once_is_refused_and_disturbs_nobody) {
    connected_pair ends;
    auto reading = coir::spawn(read_once, std::ref(ends.client));
    let_others_run();
    on_another_thread([&] {
        const std::string text = text_of<coir::fiber_error>([&] { read_once(ends.client); });
        EXPECT_NE(text.find("fd " + std::to_string(ends.client.native_handle())), std::string::npos) << text;
    });
    EXPECT_FALSE(reading.done());
    ends.server.write_all("still here");
    EXPECT_EQ(reading.get(), "still here");
}

TEST_F(tcp_hubs, a_writer_of_another_hub_is_refused_while_a_reader_waits_only_if_it_has_to_wait) {
    connected_pair ends;
    auto reading = coir::spawn(read_once, std::ref(ends.client));
    let_others_run();
    on_another_thread([&] {
        ends.client.write_all("this does not wait");
        fill_send_buffer(ends.client);
        EXPECT_THROW(ends.client.write_all("this does"), coir::fiber_error);
    });
    ends.server.write_all("x");
    EXPECT_EQ(reading.get(), "x");
}

TEST_F(tcp_hubs, a_stream_moves_to_another_thread_and_back) {
    connected_pair ends;
    for (int round = 0; round < 10; ++round) {
        const auto once = [&] {
            auto reading = coir::spawn(read_once, std::ref(ends.client));
            let_others_run();  // it waits, so it is registered with this thread's hub
            ends.server.write_all("round");
            EXPECT_EQ(reading.get(), "round");
        };
        once();
        on_another_thread(once);
    }
}

TEST_F(tcp_hubs, what_comes_between_two_hubs_is_not_missed) {
    connected_pair ends;
    auto reading = coir::spawn(read_once, std::ref(ends.client));
    let_others_run();
    ends.server.write_all("first");
    EXPECT_EQ(reading.get(), "first");
    ends.server.write_all("second");
    ends.server.close();
    on_another_thread([&] {
        EXPECT_EQ(read_once(ends.client), "second");
        EXPECT_EQ(read_once(ends.client), "");
    });
}

TEST_F(tcp_hubs, a_stream_survives_the_hub_that_it_belonged_to) {
    connected_pair ends;
    on_another_thread([&] {
        auto reading = coir::spawn(read_once, std::ref(ends.client));
        let_others_run();
        ends.server.write_all("there");
        EXPECT_EQ(reading.get(), "there");
    });
    auto reading = coir::spawn(read_once, std::ref(ends.client));
    let_others_run();
    ends.server.write_all("here");
    EXPECT_EQ(reading.get(), "here");
}

TEST_F(tcp_hubs, a_stream_whose_hub_is_gone_can_be_closed) {
    connected_pair ends;
    on_another_thread([&] {
        auto reading = coir::spawn(read_once, std::ref(ends.client));
        let_others_run();
        ends.server.write_all("there");
        reading.get();
    });
    ends.client.close();
    EXPECT_EQ(read_once(ends.server), "");
}

TEST_F(tcp_hubs, connections_accepted_here_are_served_there) {
    constexpr int threads = 4;
    constexpr int rounds = 25;
    tcp_listener listener = listen_on_loopback();
    std::vector<std::thread> clients;
    for (int t = 0; t < threads; ++t) {
        clients.emplace_back([at = listener.local_address()] {
            for (int i = 0; i < rounds; ++i) {
                tcp_stream stream = tcp_stream::connect(at);
                stream.write_all("ping");
                EXPECT_EQ(read_once(stream), "ping");
                EXPECT_EQ(read_once(stream), "");
            }
        });
    }
    for (int i = 0; i < threads * rounds; ++i) {
        tcp_stream stream = listener.accept();
        std::thread([&] { stream.write_all(read_once(stream)); }).join();
    }
    for (std::thread& client : clients) client.join();
}

}  // namespace
