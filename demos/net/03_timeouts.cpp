// A peer that is slow, or never answers. No operation has a limit of its own: a coir::timeout limits a whole
// scope, whatever is called in it, and a server limits what it does for one client.
#include <coir/net.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

/// Answers "now" at once, and anything else a letter at a time, so that each single read is quick and the
/// whole is not.
void answer(tcp_stream stream) {
    coir::net::buffered in(stream);
    const auto question = in.read_line();
    if (!question) return;
    for (const char letter : std::string("here you are\n")) {
        if (*question != "now") coir::this_fiber::sleep_for(100ms);
        stream.write_all({&letter, 1});
    }
}

std::string ask(const coir::net::address& server, const std::string& question) {
    tcp_stream stream = tcp_stream::connect(server, {.timeout = 5s});  // connecting can be limited as an option
    stream.write_all(question + "\n");
    return coir::net::buffered(stream).read_line().value_or("nothing");
}  // the connection is closed, also when the time is over

int main() {
    tcp_listener listener = tcp_listener::bind("127.0.0.1", 0);
    const auto server_address = listener.local_address();
    auto server = coir::spawn([&] {
        // A client that says nothing for 250 ms is not worth its descriptor.
        coir::net::serve(listener, [](tcp_stream stream) {
            try {
                coir::wait_for(250ms, answer, std::move(stream));
            } catch (const coir::timed_out&) {
                std::cout << "server: this one took too long" << std::endl;
            }
        });
    });

    std::cout << "client: " << coir::wait_for(10s, ask, server_address, "now") << std::endl;

    try {
        coir::timeout limit(150ms);  // for all of it: connecting, asking, every piece of the answer
        ask(server_address, "slowly, please");
    } catch (const coir::timed_out&) {
        std::cout << "client: given up" << std::endl;
    }

    tcp_stream silent = tcp_stream::connect(server_address);
    char block[16];
    const std::size_t got = silent.read_some(block);  // until the server loses its patience
    std::cout << "client: " << got << " bytes, the server has hung up" << std::endl;

    // Nobody at all: a listener whose backlog is full does not even refuse.
    tcp_listener full = tcp_listener::bind("127.0.0.1", 0, {.backlog = 0});
    tcp_stream first = tcp_stream::connect(full.local_address());
    try {
        tcp_stream::connect(full.local_address(), {.timeout = 50ms});
    } catch (const coir::timed_out&) {
        std::cout << "client: no connection in time" << std::endl;
    }

    listener.close();
    server.get();
}
