#include <coir/net/server.hpp>

#include "net/net_test.hpp"

#include <coir/base/error.hpp>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace net_tests;
using coir::net::serve_options;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

class server : public clean_test {
protected:
    template <class Handler>
    coir::task<void> start(Handler handler, const serve_options& options = {}) {
        return coir::spawn({.name = "server"},
                           [this, handler, options] { coir::net::serve(listener, handler, options); });
    }
    tcp_stream connect() const { return tcp_stream::connect(at); }

    tcp_listener listener = listen_on_loopback();
    coir::net::address at = listener.local_address();
};

void echo(tcp_stream stream) {
    char block[1024];
    while (const std::size_t n = stream.read_some(block)) stream.write_all({block, n});
}

/// Waits for what never comes, and says when it is made to stop.
struct stuck {
    explicit stuck(int& times) : cancelled(&times) {}
    void operator()(tcp_stream stream) const {
        try {
            char block[1];
            (void)stream.read_some(block);
        } catch (const coir::cancelled&) {
            ++*cancelled;
            throw;
        }
    }
    int* cancelled;
};

std::string ask(tcp_stream& stream, const std::string& question) {
    std::string answer(question.size(), '\0');
    stream.write_all(question);
    stream.read_exactly(answer);
    return answer;
}

bool has_ended(tcp_stream& stream) {
    char block[64];
    std::error_code ec;
    return stream.read_some(block, ec) == 0;
}

TEST_F(server, each_connection_has_a_task_of_its_own) {
    auto serving = start(echo);
    tcp_stream first = connect();
    tcp_stream second = connect();
    EXPECT_EQ(ask(second, "two"), "two");
    EXPECT_EQ(ask(first, "one"), "one");
    first.close();
    second.close();
    listener.close();
    serving.get();
}

TEST_F(server, ends_when_its_listener_is_closed_and_then_refuses) {
    auto serving = start(echo);
    let_others_run();
    listener.close();
    serving.get();
    EXPECT_EQ(failure_of([&] { connect(); }), std::errc::connection_refused);
}

TEST_F(server, ends_at_once_when_its_listener_is_already_closed) {
    listener.close();
    start(echo).get();
}

TEST_F(server, ends_when_it_is_asked_from_another_thread) {
    std::stop_source stop;
    auto serving = start(echo, {.stop = stop.get_token()});
    tcp_stream client = connect();
    EXPECT_EQ(ask(client, "hello"), "hello");
    std::thread([&] { stop.request_stop(); }).join();
    EXPECT_EQ(ask(client, "again"), "again") << "a connection may go on for a while";
    client.close();
    serving.get();
    EXPECT_FALSE(listener.is_open());
}

TEST_F(server, ends_at_once_when_it_was_asked_before_it_began) {
    std::stop_source stop;
    stop.request_stop();
    start(echo, {.stop = stop.get_token()}).get();
}

TEST_F(server, cancels_what_goes_on_when_the_time_to_drain_is_over) {
    int cancelled = 0;
    auto serving = start(stuck(cancelled), {.drain = 5ms});
    tcp_stream first = connect();
    tcp_stream second = connect();
    let_others_run();
    const auto start_of_end = std::chrono::steady_clock::now();
    listener.close();
    serving.get();
    EXPECT_GE(std::chrono::steady_clock::now() - start_of_end, 5ms);
    EXPECT_EQ(cancelled, 2);
    EXPECT_TRUE(has_ended(first));
    EXPECT_TRUE(has_ended(second));
}

TEST_F(server, with_no_time_to_drain_cancels_at_once) {
    int cancelled = 0;
    auto serving = start(stuck(cancelled), {.drain = 0s});
    tcp_stream client = connect();
    let_others_run();
    listener.close();
    serving.get();
    EXPECT_EQ(cancelled, 1);
}

TEST_F(server, that_is_cancelled_cancels_its_connections_and_waits_for_them) {
    int cancelled = 0;
    auto serving = start(stuck(cancelled));
    tcp_stream client = connect();
    let_others_run();
    serving.cancel();
    serving.join();
    EXPECT_TRUE(serving.was_cancelled());
    EXPECT_EQ(cancelled, 1);
    EXPECT_TRUE(has_ended(client));
}

TEST_F(server, that_is_cancelled_while_it_drains_cancels_its_connections) {
    int cancelled = 0;
    auto serving = start(stuck(cancelled), {.drain = for_ever});
    tcp_stream client = connect();
    let_others_run();
    listener.close();
    let_others_run();
    EXPECT_FALSE(serving.done());
    serving.cancel();
    serving.join();
    EXPECT_TRUE(serving.was_cancelled());
    EXPECT_EQ(cancelled, 1);
}

TEST_F(server, takes_no_more_connections_than_it_may) {
    int now = 0;
    int most = 0;
    auto serving = start(
        [&](tcp_stream stream) {
            most = std::max(most, ++now);
            echo(std::move(stream));
            --now;
        },
        {.max_connections = 3});
    std::vector<coir::task<void>> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(coir::spawn([this, i] {
            tcp_stream client = connect();
            const std::string text = "client " + std::to_string(i);
            EXPECT_EQ(ask(client, text), text);
        }));
    }
    for (auto& client : clients) client.get();
    listener.close();
    serving.get();
    EXPECT_EQ(most, 3);
}

TEST_F(server, that_is_full_ends_when_it_is_asked) {
    int cancelled = 0;
    std::stop_source stop;
    auto serving = start(stuck(cancelled), {.max_connections = 1, .stop = stop.get_token(), .drain = 1ms});
    tcp_stream client = connect();
    let_others_run();
    stop.request_stop();
    EXPECT_TRUE(serving.join_for(10s)) << "it goes on serving";
    EXPECT_EQ(cancelled, 1);
    serving.cancel();
    serving.join();
}

TEST_F(server, that_is_full_ends_when_its_listener_is_closed) {
    int cancelled = 0;
    auto serving = start(stuck(cancelled), {.max_connections = 1, .drain = 1ms});
    tcp_stream client = connect();
    let_others_run();
    std::thread([&] { listener.close(); }).join();
    EXPECT_TRUE(serving.join_for(10s)) << "it goes on serving";
    EXPECT_EQ(cancelled, 1);
    serving.cancel();
    serving.join();
}

TEST_F(server, that_is_full_takes_the_next_when_one_has_gone) {
    auto serving = start(echo, {.max_connections = 1});
    tcp_stream first = connect();
    EXPECT_EQ(ask(first, "a"), "a");
    tcp_stream second = connect();
    auto asking = coir::spawn([&] { return ask(second, "b"); });
    let_others_run();
    EXPECT_FALSE(asking.done());
    first.close();
    EXPECT_EQ(asking.get(), "b");
    second.close();
    listener.close();
    serving.get();
}

/// Collects what goes to on_unhandled.
struct unhandled_errors {
    unhandled_errors() {
        coir::hub::current().on_unhandled([this](std::string_view name, std::exception_ptr error) {
            names.emplace_back(name), errors.push_back(error);
        });
    }
    ~unhandled_errors() { coir::hub::current().on_unhandled(nullptr); }
    std::vector<std::string> names;
    std::vector<std::exception_ptr> errors;
};

TEST_F(server, a_handlers_error_ends_its_own_connection_and_is_reported) {
    unhandled_errors reported;
    auto serving = start([](tcp_stream stream) {
        char c;
        while (stream.read_some({&c, 1})) {
            if (c == '!') throw std::runtime_error("it cannot do that");
            if (c == '?') throw 42;
            stream.write_all({&c, 1});
        }
    });
    tcp_stream good = connect();
    tcp_stream bad = connect();
    tcp_stream odd = connect();
    EXPECT_EQ(ask(good, "a"), "a");
    bad.write_all("!");
    odd.write_all("?");
    EXPECT_TRUE(has_ended(bad));
    EXPECT_TRUE(has_ended(odd));
    EXPECT_EQ(ask(good, "b"), "b");
    ASSERT_EQ(reported.errors.size(), 2u);
    EXPECT_NE(reported.names[0].find("connection"), std::string::npos) << reported.names[0];
    EXPECT_THROW(std::rethrow_exception(reported.errors[0]), std::runtime_error);
    EXPECT_THROW(std::rethrow_exception(reported.errors[1]), int);
    good.close();
    listener.close();
    serving.get();
    EXPECT_EQ(reported.errors.size(), 2u);
}

TEST_F(server, the_stream_of_a_handler_that_returns_is_closed) {
    auto serving = start([](tcp_stream stream) { stream.write_all("x"); });
    tcp_stream client = connect();
    char c;
    EXPECT_EQ(client.read_some({&c, 1}), 1u);
    EXPECT_TRUE(has_ended(client));
    listener.close();
    serving.get();
}

TEST_F(server, a_handler_may_move_only_state_and_be_called_by_reference) {
    struct handler {
        void operator()(tcp_stream stream) {
            ++calls;
            stream.write_all(*text);
        }
        std::unique_ptr<std::string> text = std::make_unique<std::string>("own");
        int calls = 0;
    } own;
    auto serving = coir::spawn([&] { coir::net::serve(listener, own); });
    tcp_stream client = connect();
    char got[3];
    client.read_exactly(got);
    listener.close();
    serving.get();
    EXPECT_EQ(own.calls, 1);
}

TEST_F(server, a_peer_that_resets_ends_its_own_connection) {
    unhandled_errors reported;
    auto serving = start(echo);
    tcp_stream good = connect();
    {
        tcp_stream rude = connect();
        EXPECT_EQ(ask(rude, "x"), "x");
        reset_on_close(rude);
    }
    EXPECT_EQ(ask(good, "still there"), "still there");
    good.close();
    listener.close();
    serving.get();
    EXPECT_EQ(reported.errors.size(), 1u);
}

TEST_F(server, a_connection_that_gets_no_stack_ends_alone) {
    unhandled_errors reported;
    // Stacks of a size that nobody has used yet, so that none is pooled.
    auto serving = start(echo, {.stack_size = 200 * 1024});
    tcp_stream good = connect();
    EXPECT_EQ(ask(good, "before"), "before");
    coir::detail::sys.mmap = [](void*, size_t, int, int, int, off_t) -> void* {
        errno = ENOMEM;
        return MAP_FAILED;
    };
    std::vector<tcp_stream> unlucky;
    for (int i = 0; i < 100 && reported.errors.empty() && !serving.done(); ++i) {
        unlucky.push_back(connect());
        let_others_run();
    }
    coir::detail::sys.mmap = ::mmap;
    EXPECT_FALSE(serving.done());
    std::error_code ec;
    char c;
    good.write_all("x", ec);
    EXPECT_EQ(good.read_some({&c, 1}, ec), 1u) << "another connection was ended";
    good.close();
    for (tcp_stream& stream : unlucky) stream.close();
    listener.close();
    serving.join();
}

}  // namespace
