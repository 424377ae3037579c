// Three tasks sleep at the same time on one thread: together they take as long as the longest of them.
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

void sleeper(const std::string& name, std::chrono::milliseconds length) {
    std::cout << name << " falls asleep\n";
    coir::this_fiber::sleep_for(length);  // parks this fiber; the thread runs the others
    std::cout << name << " wakes up\n";
}

int main() {
    const auto start = std::chrono::steady_clock::now();

    std::vector<coir::task<void>> sleepers;
    sleepers.push_back(coir::spawn(sleeper, "bear", 400ms));
    sleepers.push_back(coir::spawn(sleeper, "cat", 100ms));
    sleepers.push_back(coir::spawn(sleeper, "dog", 300ms));
    std::cout << "nobody sleeps yet: a task starts when its spawner waits\n";
    for (auto& s : sleepers) s.join();

    const auto took = std::chrono::steady_clock::now() - start;
    std::cout << "one after the other: " << (400ms + 100ms + 300ms) / 400ms << " x the longest\n";
    std::cout << "together: " << took / 400ms << " x the longest\n";  // rounded down
}
