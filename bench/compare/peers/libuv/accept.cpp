#include <uv.h>

#include <cstdio>
#include <cstdlib>

void accept(uv_stream_t* listener, int status) {
    if (status < 0) return;
    static char greeting[] = "hello\n";
    const uv_buf_t buffer = uv_buf_init(greeting, sizeof greeting - 1);
    auto* tcp = new uv_tcp_t;
    auto* stream = reinterpret_cast<uv_stream_t*>(tcp);
    uv_tcp_init(listener->loop, tcp);
    uv_accept(listener, stream);
    uv_tcp_nodelay(tcp, 1);
    uv_try_write(stream, &buffer, 1);  // a fresh connection has room for it
    uv_close(reinterpret_cast<uv_handle_t*>(tcp), [](uv_handle_t* h) { delete reinterpret_cast<uv_tcp_t*>(h); });
}

int main(int, char** argv) {
    uv_tcp_t listener;
    sockaddr_in at;
    uv_ip4_addr("127.0.0.1", std::atoi(argv[1]), &at);
    uv_tcp_init(uv_default_loop(), &listener);
    uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&at), 0);
    if (const int error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, accept)) {
        return std::fprintf(stderr, "listen: %s\n", uv_strerror(error)), 1;
    }
    std::puts("ready");
    std::fflush(stdout);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
