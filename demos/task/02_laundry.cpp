// The laundry: one attendant, ten washing machines, each of which finishes in its own time. The attendant
// empties whichever is done next, and goes home when the slowest one is: not after the sum of all.
#include <coir/task.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>
#include <vector>

using namespace std::chrono_literals;

int wash(int machine, std::chrono::milliseconds programme) {
    coir::this_fiber::sleep_for(programme);
    return machine;
}

int main() {
    const std::vector programmes = {300ms, 60ms, 420ms, 180ms, 540ms, 120ms, 480ms, 240ms, 600ms, 360ms};
    const auto start = std::chrono::steady_clock::now();

    std::vector<coir::task<int>> machines;
    for (std::size_t i = 0; i < programmes.size(); ++i) {
        machines.push_back(coir::spawn(wash, static_cast<int>(i) + 1, programmes[i]));
    }

    std::cout << "emptied:";
    for (auto& machine : coir::as_completed(machines)) std::cout << ' ' << machine.get() << std::flush;

    const auto took = std::chrono::steady_clock::now() - start;
    const auto longest = std::ranges::max(programmes);
    const auto sum = std::accumulate(programmes.begin(), programmes.end(), 0ms);
    std::cout << "\ntime for all ten: " << took / longest << " x the longest programme";
    std::cout << " (one by one: " << sum / longest << " x)\n";
}
