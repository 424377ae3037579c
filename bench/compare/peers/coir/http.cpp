// coir's sockets and timeouts below a parser out of the distribution.
#include "http_hello.hpp"

#include <coir/net.hpp>
#include <coir/task.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

void answer_all(coir::net::tcp_stream stream) {
    http_hello hello;
    std::array<char, 2048> buffer;
    for (bool is_kept = true; is_kept;) {
        const std::size_t n = coir::wait_for(std::chrono::seconds(75), [&] { return stream.read_some(buffer); });
        if (n == 0) return;
        is_kept = hello.hear({buffer.data(), n});
        stream.write_all(hello.answers());
        hello.answers().clear();
    }
}

int main(int, char** argv) {
    auto listener = coir::net::tcp_listener::bind("127.0.0.1", std::atoi(argv[1]));
    std::puts("ready");
    std::fflush(stdout);
    coir::net::serve(listener, answer_all);
}
