// Ctrl-C, and all things in their order: take no more orders, finish what is on the stove, say how each one ended.
// A second Ctrl-C does not wait any longer; a third one ends the process as if nobody had ever caught it.
//
// With a port it is a real server: `echo "5 soup" | nc localhost <port>` orders a soup that takes 5 s. Without one
// it has two guests of its own, and presses Ctrl-C itself.
#include <coir/coir.hpp>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

/// Orders are taken on main's thread and cooked on two others.
class restaurant {
public:
    void serve_guest(tcp_stream guest) {
        coir::net::buffered in(guest);
        const auto dish = in.read_line();
        if (!dish) return;
        const std::chrono::duration<double> time(std::atof(dish->c_str()));
        auto cooking = stoves_.spawn({.name = *dish}, [time] { coir::this_fiber::sleep_for(time); });
        orders_.push_back(cooking);
        guest.write_all("you have ordered " + *dish + "\n");
        cooking.join();
        guest.write_all("here is your " + *dish + "\n");
    }

    void close() {
        stoves_.stop();  // cancels what is still on them
        for (const auto& order : orders_) {
            std::cout << order.name() << ": " << (order.was_cancelled() ? "thrown away" : "served") << std::endl;
        }
    }

private:
    std::vector<coir::task<void>> orders_;
    coir::hub_pool stoves_{2};
};

class scripted_guest {
public:
    scripted_guest(const coir::net::address& at, const std::string& dish) : stream_(tcp_stream::connect(at)) {
        stream_.write_all(dish + "\n");
        hear();
    }
    void hear() {
        const auto line = in_.read_line();
        std::cout << "    a guest hears: " << line.value_or("nothing any more") << std::endl;
    }

private:
    tcp_stream stream_;
    coir::net::buffered<tcp_stream> in_{stream_};
};

void play(const coir::net::address& at) {
    scripted_guest patient(at, "3600 roast"), quick(at, "0.1 soup");
    std::raise(SIGINT);
    quick.hear();
    std::error_code error;
    tcp_stream::connect(at, {}, error);
    std::cout << "    a latecomer: " << error.message() << std::endl;
    std::raise(SIGINT);
    patient.hear();
}

void heed_ctrl_c(tcp_listener& listener, const coir::task<void>& server) {
    coir::signal_set ctrl_c{SIGINT, SIGTERM};
    ctrl_c.wait();
    std::cout << "closing; Ctrl-C again to hurry" << std::endl;
    listener.close();  // nobody comes in any more; serve ends when those who are inside have left
    ctrl_c.wait();
    std::cout << "at once, then" << std::endl;
    server.cancel();  // and with it what it does for its guests
}  // the set is gone: from here on Ctrl-C has its usual effect

int main(int argc, char** argv) {
    tcp_listener listener = tcp_listener::bind("127.0.0.1", argc > 1 ? std::atoi(argv[1]) : 0);
    restaurant house;
    auto server = coir::spawn([&] {
        const auto table = [&](tcp_stream guest) { house.serve_guest(std::move(guest)); };
        coir::net::serve(listener, table, {.drain = 1h});
    });
    auto porter = coir::spawn(heed_ctrl_c, std::ref(listener), server);
    auto guests = coir::spawn([&] {
        if (argc == 1) play(listener.local_address());
    });

    std::cout << "open" << std::endl;
    server.join();
    porter.cancel();
    coir::wait(std::vector{porter, guests});
    house.close();
}
