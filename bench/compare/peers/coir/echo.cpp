#include <coir/net.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>

int main(int, char** argv) {
    auto listener = coir::net::tcp_listener::bind("127.0.0.1", std::atoi(argv[1]));
    std::puts("ready");
    std::fflush(stdout);
    coir::net::serve(listener, [](coir::net::tcp_stream stream) {
        std::array<char, 2048> buffer;
        while (const std::size_t n = stream.read_some(buffer)) stream.write_all({buffer.data(), n});
    });
}
