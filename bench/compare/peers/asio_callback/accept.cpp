#include <boost/asio.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::string_view greeting = "hello\n";

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](auto error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            auto kept = std::make_unique<tcp::socket>(std::move(socket));
            auto& stream = *kept;
            asio::async_write(stream, asio::buffer(greeting), [kept = std::move(kept)](auto, std::size_t) {});
        }
        accept(acceptor);
    });
}

int main(int, char** argv) {
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
    accept(acceptor);
    std::puts("ready");
    std::fflush(stdout);
    context.run();
}
