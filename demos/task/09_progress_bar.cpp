// Three downloads at the same time, and a fiber that shows how far they are: a bar that moves on a terminal, a line
// for each that ends where there is none. All of it is one thread, so what they share needs no lock.
#include <coir/task.hpp>

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct download {
    std::string name;
    int size;
    int done = 0;
};

download& fetch(download& d) {
    for (; d.done < d.size; ++d.done) coir::this_fiber::sleep_for(10ms);  // stands for a block from the network
    return d;
}

void paint(const std::vector<download>& all) {
    int done = 0, size = 0;
    for (const download& d : all) done += d.done, size += d.size;
    std::string bar(static_cast<std::size_t>(30 * done / size), '#');
    bar.resize(30, '.');
    std::cout << "\r[" << bar << "] " << 100 * done / size << " % " << std::flush;
}

int main() {
    std::vector<download> all = {{"film", 60}, {"song", 10}, {"book", 30}};
    const bool on_terminal = isatty(STDOUT_FILENO) == 1;

    std::vector<coir::task<download&>> downloads;
    for (download& d : all) downloads.push_back(coir::spawn(fetch, std::ref(d)));
    auto painter = coir::spawn([&] {
        for (; on_terminal; coir::this_fiber::sleep_for(40ms)) paint(all);
    });

    for (auto& ended : coir::as_completed(downloads)) {
        if (!on_terminal) std::cout << ended.get().name << " is here\n";
    }

    painter.cancel();  // it would go on for ever
    painter.join();
    if (on_terminal) {
        paint(all);  // once more, now that it is full
        std::cout << "\n";
    }
    std::cout << "all is here\n";
}
