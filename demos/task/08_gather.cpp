// gather waits for several tasks and gives all their results, in the order of the tasks, not of their ends.
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

int slow_square(int n) {
    coir::this_fiber::sleep_for(50ms - n * 10ms);  // the last one ends first
    return n * n;
}

int main() {
    auto weather = coir::spawn([] { return std::string("rain"); });
    auto degrees = coir::spawn([] { return 11.5; });
    auto [sky, temperature] = coir::gather(weather, degrees);  // of different types: a tuple
    std::cout << sky << ", " << temperature << " degrees\n";

    std::vector<coir::task<int>> tasks;
    for (int n = 1; n <= 4; ++n) tasks.push_back(coir::spawn(slow_square, n));
    std::cout << "squares:";
    for (const int square : coir::gather(tasks)) std::cout << ' ' << square;  // of one type: a vector
    std::cout << "\n";

    // An error cancels nothing: it is rethrown when all have ended.
    auto broken = coir::spawn([]() -> int { throw std::runtime_error("no signal"); });
    auto patient = coir::spawn(slow_square, 3);
    try {
        coir::gather(broken, patient);
    } catch (const std::runtime_error& e) {
        std::cout << "one failed: " << e.what() << "; the other gave " << patient.get() << " all the same\n";
    }
}
