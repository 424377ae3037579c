#include <boost/asio.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::string_view greeting = "hello\n";

asio::awaitable<void> greet(tcp::socket socket) {
    co_await asio::async_write(socket, asio::buffer(greeting), asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> serve(tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(acceptor.get_executor(), greet(std::move(socket)), asio::detached);
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
