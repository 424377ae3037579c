// mini_redis: a server that real Redis clients can talk to, and the last program of the course.
//
// Each client has a fiber of its own, which reads as if it were alone (session.cpp). All of them run on one
// thread, and only blocking calls let others run, so the data (database.hpp) needs no locks: a command is
// atomic because nothing in it suspends. Where to read on:
//     request.hpp, reply.hpp    the protocol, both ways
//     commands_*.cpp            what each command does
//     blocking.cpp, pubsub.cpp  clients that wait for one another
#include "options.hpp"
#include "server.hpp"

#include <coir/hub.hpp>
#include <coir/net.hpp>
#include <coir/task.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

void serve(const mini_redis::options& options) {
    coir::signal_set stop_signals{SIGINT, SIGTERM};
    auto listener = coir::net::tcp_listener::bind(options.bind, options.port);
    std::printf("mini_redis ready on %s\n", listener.local_address().to_string().c_str());
    std::fflush(stdout);

    mini_redis::server server(listener);
    coir::task_group helpers;
    helpers.spawn({.name = "signals"}, [&] {
        stop_signals.wait();
        server.stop();
    });
    server.run();
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = mini_redis::parse_options(argc, argv);
    try {
        coir::run(serve, options);
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mini_redis: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
