// load echo PORT CONNECTIONS MILLISECONDS [MESSAGE_SIZE]
// load http PORT CONNECTIONS MILLISECONDS
// load accept PORT MILLISECONDS
//
// One thread, plain epoll, as little work per message as can be: it shares the machine with what it measures.
#include "report.hpp"
#include "socket.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

constexpr const char* usage =
    "usage: load echo PORT CONNECTIONS MILLISECONDS [MESSAGE_SIZE]\n"
    "       load http PORT CONNECTIONS MILLISECONDS\n"
    "       load accept PORT MILLISECONDS\n"
    "The server listens on PORT of 127.0.0.1; MESSAGE_SIZE is 64 unless told, and at most 16384.\n";

int number(const std::string& text, int most) {
    char* end = nullptr;
    const long value = std::strtol(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0' || value < 1 || value > most) {
        throw load::failure("'" + text + "' is not a number from 1 to " + std::to_string(most));
    }
    return static_cast<int>(value);
}

std::string run(const std::vector<std::string>& words) {
    const int most_ms = 3'600'000;
    const int most_connections = 1'000'000;
    if (words.size() >= 4 && words.size() <= 5 && words[0] == "echo") {
        const int size = words.size() == 5 ? number(words[4], 16384) : 64;
        return load::echo(number(words[1], 65535), static_cast<std::uint32_t>(number(words[2], most_connections)),
                          number(words[3], most_ms), static_cast<std::size_t>(size));
    }
    if (words.size() == 4 && words[0] == "http") {
        return load::http(number(words[1], 65535), static_cast<std::uint32_t>(number(words[2], most_connections)),
                          number(words[3], most_ms));
    }
    if (words.size() == 3 && words[0] == "accept") {
        return load::accept(number(words[1], 65535), number(words[2], most_ms));
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    try {
        load::raise_descriptor_limit();
        const std::string report = run({argv + 1, argv + argc});
        if (report.empty()) return std::fputs(usage, stderr), 2;
        std::puts(report.c_str());
    } catch (const std::exception& e) {
        std::fprintf(stderr, "load: %s\n", e.what());
        return 1;
    }
}
