#include "http_date.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

// Named, since a tcp_stream of any executor allocates for each wait.
using executor = asio::io_context::executor_type;
using stream = beast::basic_stream<tcp, executor>;
using acceptor = asio::basic_socket_acceptor<tcp, executor>;

constexpr std::string_view hello = "hello, world\n";
constexpr std::string_view nothing = "not found\n";

class session : public std::enable_shared_from_this<session> {
public:
    explicit session(stream::socket_type socket) : stream_(std::move(socket)) {}

    void read() {
        request_.clear();
        stream_.expires_after(std::chrono::seconds(75));
        http::async_read(stream_, buffer_, request_, [self = shared_from_this()](auto error, std::size_t) {
            if (!error) self->answer();
        });
    }

private:
    void answer() {
        const bool is_found = request_.method() == http::verb::get && request_.target() == "/";
        response_.emplace(is_found ? http::status::ok : http::status::not_found, request_.version());
        response_->set(http::field::content_type, "text/plain");
        response_->set(http::field::date, http_date());
        response_->keep_alive(request_.keep_alive());
        response_->body() = is_found ? hello : nothing;
        response_->prepare_payload();
        http::async_write(stream_, *response_, [self = shared_from_this()](auto error, std::size_t) {
            if (!error && self->response_->keep_alive()) self->read();
        });
    }

    stream stream_;
    beast::flat_buffer buffer_;
    http::request<http::empty_body> request_;
    std::optional<http::response<http::span_body<const char>>> response_;
};

void accept(acceptor& acceptor) {
    acceptor.async_accept([&acceptor](auto error, stream::socket_type socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<session>(std::move(socket))->read();
        }
        accept(acceptor);
    });
}

int main(int, char** argv) {
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    acceptor listening(context, {asio::ip::address_v4::loopback(), port});
    accept(listening);
    std::puts("ready");
    std::fflush(stdout);
    context.run();
}
