// A producer that is faster than its consumer. A bounded channel lets it get ahead by so many and no further: then
// send() parks it until there is room. Nothing piles up, and nobody had to measure anything.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

int main() {
    coir::channel<int> shelf(2);  // room for two loaves

    auto baker = coir::spawn([&] {
        for (int loaf = 1; loaf <= 5; ++loaf) {  // takes no time at all
            if (!shelf.try_send(loaf)) {
                std::cout << "    the shelf is full: the baker waits with loaf " << loaf << "\n";
                shelf.send(loaf);
            }
            std::cout << "    loaf " << loaf << " is on the shelf\n";
        }
        shelf.close();
        std::cout << "    the baker goes home\n";
    });

    coir::this_fiber::yield();  // he bakes before anybody comes
    for (const int loaf : shelf) {
        std::cout << "sold: loaf " << loaf << "\n";
        coir::this_fiber::sleep_for(20ms);  // the next customer takes a while
    }
    std::cout << "sold out\n";
    baker.join();
}
