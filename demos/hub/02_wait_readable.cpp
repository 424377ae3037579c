// A descriptor that belongs to somebody else (here a pipe; a library's socket, a terminal) can be waited for.
// The fiber that waits is parked, not the thread.
#include <coir/hub.hpp>
#include <coir/task.hpp>

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <string_view>

using namespace std::chrono_literals;

int main() {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    const auto [in, out] = ends;

    const bool came = coir::wait_readable_for(in, 20ms);
    std::cout << "before anybody writes: " << (came ? "readable" : "nothing within the limit") << "\n";

    auto reader = coir::spawn([in = in] {
        for (;;) {
            coir::wait_readable(in);  // returns when read() will not block
            char text[64];
            const ssize_t n = read(in, text, sizeof text);
            if (n <= 0) break;
            std::cout << "the reader got: " << std::string_view(text, static_cast<std::size_t>(n)) << "\n";
        }
        std::cout << "the reader saw the end\n";
    });

    for (const std::string_view word : {"ping", "pong"}) {
        coir::this_fiber::sleep_for(50ms);
        std::cout << "main writes\n";
        if (write(out, word.data(), word.size()) < 0) return 1;
    }
    coir::this_fiber::sleep_for(50ms);
    close(out);
    reader.join();
    close(in);  // only now that nobody waits for it
}
