// A semaphore hands out a limited number of permits, one or several at a time. It is strictly first come, first
// served: who needs many is not passed for ever by those who need few.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

int main() {
    coir::semaphore bridge(10);  // carries ten tonnes

    const auto cross = [&](const std::string& name, std::size_t tonnes) {
        bridge.acquire(tonnes);  // waits until there is room for all of it
        std::cout << name << " drives on, " << bridge.available() << " t to spare\n";
        coir::this_fiber::sleep_for(20ms);
        bridge.release(tonnes);
        std::cout << name << " is across\n";
    };

    coir::task_group traffic;
    traffic.spawn(cross, "the van", 3);
    traffic.spawn(cross, "the bus", 5);
    traffic.spawn(cross, "the crane", 9);    // has to wait for both
    traffic.spawn(cross, "the scooter", 1);  // would fit, but came after the crane
    traffic.join();

    const bool fits = bridge.try_acquire_for(11, 20ms);
    std::cout << "eleven tonnes: " << (fits ? "go" : "not on this bridge") << "\n";
}
