// A guard that talks: its constructor connects, its destructor says QUIT and waits for the answer, however its scope
// is left. Other languages need `async with` for that; here it is a class with a destructor.
#include <coir/net.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

class session {
public:
    session(const coir::net::address& server, const std::string& name) : stream_(tcp_stream::connect(server)) {
        std::cout << ask("HELO " + name) << "\n";
    }
    session(const session&) = delete;

    ~session() {
        const coir::shield mask;  // whoever wants us to stop waits until the goodbye is said
        try {
            const coir::timeout limit(1s);  // a server that does not answer must not keep us for ever
            std::cout << ask("QUIT") << "\n";
        } catch (const std::exception&) {
            // it has gone: there is nobody to say goodbye to
        }
    }

    std::string ask(const std::string& question) {
        stream_.write_all(question + "\n");
        return in_.read_line().value_or("the server has gone");
    }

private:
    tcp_stream stream_;
    coir::net::buffered<tcp_stream> in_{stream_};
};

void serve_politely(tcp_stream stream) {
    coir::net::buffered in(stream);
    std::string name;
    while (const auto line = in.read_line()) {
        if (line->starts_with("HELO ")) name = line->substr(5);
        coir::this_fiber::sleep_for(10ms);  // nothing is answered at once
        stream.write_all((*line == "QUIT" ? "goodbye, " : "hello, ") + name + "\n");
    }
}

int main() {
    tcp_listener listener = tcp_listener::bind("127.0.0.1", 0);
    auto server = coir::spawn([&] { coir::net::serve(listener, serve_politely); });
    const auto address = listener.local_address();

    { session ann(address, "Ann"); }
    try {
        session bob(address, "Bob");
        throw std::runtime_error("Bob's work went wrong");
    } catch (const std::runtime_error& e) {
        std::cout << "caught: " << e.what() << "\n";
    }
    coir::event connected;
    auto cat = coir::spawn([&] {
        session guard(address, "Cat");
        connected.set();
        coir::this_fiber::sleep_for(1h);
    });
    connected.wait();
    cat.cancel();
    cat.join();
    std::cout << "cancelled: " << std::boolalpha << cat.was_cancelled() << "\n";

    listener.close();
    server.get();
}
