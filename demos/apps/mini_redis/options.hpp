// What the command line says.
#pragma once

#include <string>

namespace mini_redis {

struct options {
    std::string bind = "127.0.0.1";
    int port = 6379;  // 0: any free one
};

/// Ends the program, with what is wrong on stderr, for options that make no sense; and for --help.
options parse_options(int argc, char** argv);

}  // namespace mini_redis
