#include <boost/asio.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace asio = boost::asio;
using asio::ip::tcp;

class connection : public std::enable_shared_from_this<connection> {
public:
    explicit connection(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](auto error, std::size_t n) {
            if (!error) self->write(n);
        });
    }

private:
    void write(std::size_t n) {
        asio::async_write(socket_, asio::buffer(buffer_, n), [self = shared_from_this()](auto error, std::size_t) {
            if (!error) self->read();
        });
    }

    tcp::socket socket_;
    std::array<char, 2048> buffer_;
};

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](auto error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<connection>(std::move(socket))->read();
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
