// A library that blocks knows nothing of fibers: called here it would stop all of them. coir::offload calls it on
// another thread, and only this fiber waits.
#include <coir/exec.hpp>
#include <coir/task.hpp>

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

int open_myself() { return open("/proc/self/exe", O_RDONLY | O_CLOEXEC); }

int main() {
    // flock() blocks until whoever has the lock gives it back. That is the ticker, after its third tick: if the call
    // stopped this thread, there would never be one.
    const int mine = open_myself(), the_tickers = open_myself();
    flock(the_tickers, LOCK_EX);
    auto ticker = coir::spawn([&] {
        for (int i = 1; i <= 3; ++i) {
            std::cout << "tick " << i << "\n";
            coir::this_fiber::sleep_for(20ms);
        }
        flock(the_tickers, LOCK_UN);
    });
    std::cout << "waiting for the lock\n";
    const int result = coir::offload(flock, mine, LOCK_EX);
    std::cout << "flock gave " << result << "\n";
    ticker.join();
    close(mine);
    close(the_tickers);

    // References are fine, since this fiber stays until the call has ended. (getpwuid may ask a server.)
    std::string home;
    coir::offload([&] { home = getpwuid(0)->pw_dir; });
    std::cout << "the superuser lives in a directory: " << std::boolalpha << !home.empty() << "\n";

    // What the call throws arrives here.
    try {
        coir::offload([] { return std::filesystem::file_size("/no/such/file"); });
    } catch (const std::filesystem::filesystem_error& e) {
        std::cout << e.code().message() << "\n";
    }
}
