#include <coir/net.hpp>

#include <cstdio>
#include <cstdlib>

int main(int, char** argv) {
    auto listener = coir::net::tcp_listener::bind("127.0.0.1", std::atoi(argv[1]));
    std::puts("ready");
    std::fflush(stdout);
    coir::net::serve(listener, [](coir::net::tcp_stream stream) { stream.write_all("hello\n"); });
}
