#include <uv.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

struct connection {
    uv_tcp_t tcp;
    char buffer[2048];
};

/// What the socket did not take at once.
struct late_write {
    uv_write_t request;
    char bytes[2048];
};

void close_connection(uv_stream_t* stream) {
    uv_close(reinterpret_cast<uv_handle_t*>(stream), [](uv_handle_t* h) { delete reinterpret_cast<connection*>(h); });
}

void give_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto* c = reinterpret_cast<connection*>(handle);
    *buffer = uv_buf_init(c->buffer, sizeof c->buffer);
}

void write_later(uv_stream_t* stream, const char* bytes, std::size_t n) {
    auto* late = new late_write;
    std::memcpy(late->bytes, bytes, n);
    const uv_buf_t rest = uv_buf_init(late->bytes, static_cast<unsigned>(n));
    uv_write(&late->request, stream, &rest, 1, [](uv_write_t* r, int) { delete reinterpret_cast<late_write*>(r); });
}

void echo(uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer) {
    if (n < 0) return close_connection(stream);
    const uv_buf_t all = uv_buf_init(buffer->base, static_cast<unsigned>(n));
    const int sent = n == 0 ? 0 : uv_try_write(stream, &all, 1);  // refused while an earlier write waits
    if (sent < 0 && sent != UV_EAGAIN) return close_connection(stream);
    const ssize_t taken = sent < 0 ? 0 : sent;
    if (taken < n) write_later(stream, buffer->base + taken, static_cast<std::size_t>(n - taken));
}

void accept(uv_stream_t* listener, int status) {
    if (status < 0) return;
    auto* c = new connection;
    auto* stream = reinterpret_cast<uv_stream_t*>(&c->tcp);
    uv_tcp_init(listener->loop, &c->tcp);
    uv_accept(listener, stream);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start(stream, give_buffer, echo);
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
