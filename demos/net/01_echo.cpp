// A server and its clients in one program, on one thread. Each connection is served by a task of its own, in
// code that simply reads and writes; while it waits for the network, the others run.
#include <coir/net.hpp>
#include <coir/task.hpp>

#include <iostream>
#include <string>

using coir::net::tcp_listener;
using coir::net::tcp_stream;

/// The whole server, as far as one connection is concerned.
void echo(tcp_stream stream) {
    char block[4096];
    while (const std::size_t n = stream.read_some(block)) {  // 0 is the end of the stream
        stream.write_all({block, n});
    }
}

std::string ask(const coir::net::address& server, const std::string& question) {
    tcp_stream stream = tcp_stream::connect(server);
    stream.write_all(question);
    stream.shutdown_write();  // our half ends here; the answer can still be read

    std::string answer;
    char block[4096];
    while (const std::size_t n = stream.read_some(block)) answer.append(block, n);
    return answer;
}

int main() {
    tcp_listener listener = tcp_listener::bind("127.0.0.1", 0);  // the system chooses a port
    const auto address = listener.local_address();
    auto server = coir::spawn([&] { coir::net::serve(listener, echo); });

    auto first = coir::spawn(ask, address, "is anybody there?");
    auto second = coir::spawn(ask, address, std::string(1'000'000, 'x'));  // more than the kernel buffers
    std::cout << "an answer: " << first.get() << "\n";
    std::cout << "a long one: " << second.get().size() << " bytes\n";

    listener.close();  // serve stops accepting, and returns when its connections have ended
    server.get();
    std::cout << "the server has ended\n";
    try {
        ask(address, "and now?");
    } catch (const std::system_error& e) {
        std::cout << "afterwards: " << e.code().message() << "\n";
    }
}
