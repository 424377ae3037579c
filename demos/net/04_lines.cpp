// A socket as a range: the body of the generator reads line by line, and waits where there is none yet; the consumer
// has a range-for, and the views of the standard library.
#include <coir/fiber.hpp>
#include <coir/net.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <ranges>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

coir::generator<std::string> lines(tcp_stream stream) {
    return coir::generator<std::string>([stream = std::move(stream)](auto& yield) mutable {
        coir::net::buffered in(stream);
        while (auto line = in.read_line()) yield(std::move(*line));
    });
}

/// What the server sends comes as it comes: lines in pieces, pieces of several lines.
void tell_the_news(tcp_stream stream) {
    for (const std::string_view piece : {"INFO: up", " since monday\nWARN: disk is full\nINFO: ", "all is well\nWARN",
                                         ": it is late\n", "INFO: good night"}) {
        std::error_code gone;
        stream.write_all(piece, gone);
        if (gone) return;  // a listener who has left is no error here
        coir::this_fiber::sleep_for(10ms);
    }
}

int main() {
    tcp_listener listener = tcp_listener::bind("127.0.0.1", 0);
    auto server = coir::spawn([&] { coir::net::serve(listener, tell_the_news); });
    const auto address = listener.local_address();

    for (const std::string& line : lines(tcp_stream::connect(address))) std::cout << line << "\n";
    std::cout << "that was all\n\n";

    auto news = lines(tcp_stream::connect(address));
    const auto is_warning = [](const std::string& line) { return line.starts_with("WARN"); };
    for (const std::string& line : news | std::views::filter(is_warning)) std::cout << line << "\n";

    // Who has heard enough goes: the body unwinds, and the connection with it.
    for (const std::string& line : lines(tcp_stream::connect(address))) {
        std::cout << "\nthe first line is enough: " << line << "\n";
        break;
    }
    listener.close();
    server.get();
}
