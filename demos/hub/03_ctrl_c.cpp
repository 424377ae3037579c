// Ctrl-C as something to wait for: no handler, no global flag, just a fiber that goes on when it arrives.
#include <coir/hub.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <csignal>
#include <iostream>

using namespace std::chrono_literals;

int main() {
    coir::signal_set stop{SIGINT, SIGTERM};  // caught for as long as this lives

    auto server = coir::spawn({.name = "server"}, [] {
        try {
            std::cout << "serving; press Ctrl-C to stop\n";
            for (;;) coir::this_fiber::sleep_for(1h);
        } catch (const coir::cancelled&) {
            std::cout << "the server saves its work\n";
            throw;  // cancelled is not an error, but it should go all the way up
        }
    });

    // Nobody sits at this terminal when the tests run it, so it presses Ctrl-C itself.
    coir::spawn([] {
        coir::this_fiber::sleep_for(50ms);
        std::raise(SIGINT);
    });

    const int which = stop.wait();
    std::cout << "main got " << (which == SIGINT ? "SIGINT" : "SIGTERM") << "\n";
    server.cancel();
    server.join();
    std::cout << "orderly end\n";
}
