// What the machine allows with this parser: two system calls per request, and no time limit for an idle connection.
#include "http_hello.hpp"
#include "serve.hpp"

namespace {

struct connection {
    explicit connection(int descriptor) : fd(descriptor) {}

    bool handle(std::uint32_t events) {
        while (flush()) {
            if (!is_kept) return false;
            const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
            if (n <= 0) return n < 0 && errno == EAGAIN;
            is_kept = hello.hear({buffer, static_cast<std::size_t>(n)});
            const bool is_drained = static_cast<std::size_t>(n) < sizeof buffer && !has_end(events);
            if (is_drained && flush()) return is_kept;
        }
        return errno == EAGAIN;
    }

    /// False when some is left for the next EPOLLOUT.
    bool flush() {
        std::string& answers = hello.answers();
        while (!answers.empty()) {
            const ssize_t n = ::send(fd, answers.data(), answers.size(), MSG_NOSIGNAL);
            if (n < 0) return false;
            answers.erase(0, static_cast<std::size_t>(n));
        }
        return true;
    }

    int fd;
    bool is_kept = true;
    http_hello hello;
    char buffer[2048];
};

}  // namespace

int main(int, char** argv) { serve<connection>(std::atoi(argv[1])); }
