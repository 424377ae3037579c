#include <boost/asio.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> echo(tcp::socket socket) {
    std::array<char, 2048> buffer;
    for (;;) {
        const auto [read_error, n] = co_await socket.async_read_some(asio::buffer(buffer), no_throw);
        if (read_error) co_return;
        const auto [write_error, _] = co_await asio::async_write(socket, asio::buffer(buffer, n), no_throw);
        if (write_error) co_return;
    }
}

asio::awaitable<void> serve(tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
    }
}

int main(int, char** argv) {
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    asio::co_spawn(context, serve({context, {asio::ip::address_v4::loopback(), port}}), asio::detached);
    std::puts("ready");
    std::fflush(stdout);
    context.run();
}
