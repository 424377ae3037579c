// What the machine allows: two system calls per message.
#include "serve.hpp"

namespace {

struct connection {
    explicit connection(int descriptor) : fd(descriptor) {}

    bool handle(std::uint32_t events) {
        while (flush()) {
            const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
            if (n <= 0) return n < 0 && errno == EAGAIN;
            sent = 0;
            filled = static_cast<std::uint32_t>(n);
            if (filled < sizeof buffer && !has_end(events) && flush()) return true;
        }
        return errno == EAGAIN;
    }

    /// False when some is left for the next EPOLLOUT.
    bool flush() {
        while (sent < filled) {
            const ssize_t n = ::send(fd, buffer + sent, filled - sent, MSG_NOSIGNAL);
            if (n < 0) return false;
            sent += static_cast<std::uint32_t>(n);
        }
        return true;
    }

    int fd;
    std::uint32_t sent = 0;  // of what is in the buffer
    std::uint32_t filled = 0;
    char buffer[2048];
};

}  // namespace

int main(int, char** argv) { serve<connection>(std::atoi(argv[1])); }
