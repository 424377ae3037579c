// An event is a flag to wait for: set() wakes everybody who waits, and lets everybody pass until clear().
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

int main() {
    coir::event start;
    coir::task_group race;
    for (const std::string name : {"ann", "bob", "cid"}) {
        race.spawn([&start, name] {
            std::cout << name << " is ready\n";
            start.wait();
            std::cout << name << " runs\n";
        });
    }
    coir::this_fiber::yield();  // all three are waiting now
    std::cout << "go!\n";
    start.set();  // does not suspend: they run when main waits, first come first
    race.join();

    start.wait();  // is set: passes at once
    std::cout << "the gate is open\n";

    start.clear();
    const bool opened = start.wait_for(20ms);
    std::cout << "after clear: " << (opened ? "open" : "still closed") << "\n";
}
