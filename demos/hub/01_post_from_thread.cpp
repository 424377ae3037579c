// A thread's hub runs its fibers. Any other thread may post a function to it, which then runs on the hub's
// own thread: what only that thread touches needs no lock.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <iostream>
#include <thread>
#include <vector>

int main() {
    const auto main_thread = std::this_thread::get_id();
    coir::hub hub = coir::hub::current();  // made at first use; a handle may go to other threads
    std::vector<int> squares;              // touched on this thread only
    bool always_here = true;
    coir::event finished;

    std::thread worker([&, hub]() mutable {
        for (int n = 1; n <= 5; ++n) {
            hub.post([&, square = n * n] {
                squares.push_back(square);
                always_here = always_here && std::this_thread::get_id() == main_thread;
            });
        }
        // A posted function runs on the loop itself, so it may not suspend; a task that it spawns may.
        hub.post([&] {
            coir::spawn([&] {
                coir::this_fiber::yield();
                finished.set();
            });
        });
    });

    finished.wait();  // parks main; meanwhile the hub takes in what is posted
    worker.join();

    std::cout << "squares:";
    for (const int s : squares) std::cout << ' ' << s;
    std::cout << "\nall of them arrived on main's thread: " << std::boolalpha << always_here << "\n";
}
