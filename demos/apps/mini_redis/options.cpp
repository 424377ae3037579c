#include "options.hpp"

#include "numbers.hpp"

#include <getopt.h>

#include <cstdio>
#include <cstdlib>

namespace mini_redis {

namespace {

constexpr int wrong_usage = 2;

constexpr char usage[] =
    "usage: mini_redis [--port N] [--bind ADDR]\n"
    "  -p, --port N     port to listen on, 0 for any free one (default: 6379)\n"
    "  -b, --bind ADDR  address to listen on (default: 127.0.0.1)\n";

int parse_port(const char* text) {
    const auto port = parse_integer(text);
    if (port && *port >= 0 && *port <= 65535) return static_cast<int>(*port);
    std::fprintf(stderr, "mini_redis: --port takes a number from 0 to 65535, not '%s'\n", text);
    std::exit(wrong_usage);
}

std::string parse_bind(const char* text) {
    if (*text != '\0') return text;
    std::fprintf(stderr, "mini_redis: --bind takes an address, such as 127.0.0.1 or ::1, not ''\n");
    std::exit(wrong_usage);
}

}  // namespace

options parse_options(int argc, char** argv) {
    static constexpr option known[] = {{"port", required_argument, nullptr, 'p'},
                                       {"bind", required_argument, nullptr, 'b'},
                                       {"help", no_argument, nullptr, 'h'},
                                       {nullptr, 0, nullptr, 0}};
    options result;
    for (int which; (which = getopt_long(argc, argv, "p:b:h", known, nullptr)) != -1;) {
        switch (which) {
            case 'p':
                result.port = parse_port(optarg);
                break;
            case 'b':
                result.bind = parse_bind(optarg);
                break;
            case 'h':
                std::fputs(usage, stdout);
                std::exit(EXIT_SUCCESS);
            default:
                std::fputs(usage, stderr);
                std::exit(wrong_usage);  // getopt has said what is wrong
        }
    }
    if (optind < argc) {
        std::fprintf(stderr, "mini_redis: no argument was expected, but there is '%s'\n%s", argv[optind], usage);
        std::exit(wrong_usage);
    }
    return result;
}

}  // namespace mini_redis
