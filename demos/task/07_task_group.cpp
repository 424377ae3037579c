// A task_group owns its tasks: none outlives the scope, at most `limit` run at a time, and the first failure
// cancels the others.
#include <coir/task.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

int main() {
    int active = 0, most = 0, fetched = 0;
    {
        coir::task_group group({.limit = 3});
        for (int i = 0; i < 10; ++i) {
            group.spawn([&] {  // references are safe: the group ends before what they refer to
                most = std::max(most, ++active);
                coir::this_fiber::sleep_for(5ms);
                --active;
                ++fetched;
            });  // waits while three are under way
        }
        group.join();
    }
    std::cout << "fetched " << fetched << " pages, at most " << most << " at a time\n";

    try {
        coir::task_group expedition;
        for (const std::string name : {"ann", "bob"}) {
            expedition.spawn([name] {
                try {
                    std::cout << name << " climbs\n";
                    coir::this_fiber::sleep_for(1h);
                } catch (const coir::cancelled&) {
                    std::cout << name << " turns back\n";
                    throw;
                }
            });
        }
        expedition.spawn([] {
            coir::this_fiber::sleep_for(20ms);
            throw std::runtime_error("the rope is torn");
        });
        expedition.join();
        std::cout << "never printed\n";
    } catch (const std::runtime_error& e) {
        std::cout << "everybody is back: " << e.what() << "\n";
    }
}
