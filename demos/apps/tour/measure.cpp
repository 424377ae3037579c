#include "measure.hpp"

#include <coir/coir.hpp>

#include <chrono>
#include <fstream>
#include <string>

namespace tour {

namespace {

using clock = std::chrono::steady_clock;

/// How often `step` can be done in a second; each does `count` of what is counted.
template <class Step>
double rate_of(std::size_t count, Step step) {
    constexpr auto enough = std::chrono::milliseconds(300);
    const auto start = clock::now();
    std::size_t done = 0;
    clock::duration took{};
    while ((took = clock::now() - start) < enough) {
        step();
        done += count;
    }
    return static_cast<double>(done) / std::chrono::duration<double>(took).count();
}

}  // namespace

memory_use memory_in_use() {
    memory_use use;
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        const auto kibibytes = [&] { return std::stod(line.substr(line.find(':') + 1)) * 1024; };
        if (line.starts_with("VmRSS:")) use.resident = kibibytes();
        if (line.starts_with("VmPTE:")) use.page_tables = kibibytes();
    }
    return use;
}

memory_use memory_per_parked_fiber(std::size_t count) {
    const memory_use before = memory_in_use();
    coir::event gate;
    coir::task_group parked;
    for (std::size_t i = 0; i < count; ++i) parked.spawn([&] { gate.wait(); });
    coir::this_fiber::sleep_for(std::chrono::milliseconds(1));  // all have started, and wait
    const memory_use after = memory_in_use();
    gate.set();
    parked.join();
    const auto each = static_cast<double>(count);
    return {(after.resident - before.resident) / each, (after.page_tables - before.page_tables) / each};
}

double switches_per_second() {
    bool over = false;
    const coir::fiber main = coir::fiber::current();
    const coir::fiber other([&] {
        while (!over) main.switch_to();
    });
    const double rate = rate_of(2000, [&] {
        for (int i = 0; i < 1000; ++i) other.switch_to();
    });
    over = true;
    other.switch_to();
    return rate;
}

double yields_per_second() {
    bool over = false;
    auto other = coir::spawn([&] {
        while (!over) coir::this_fiber::yield();
    });
    const double rate = rate_of(2000, [&] {
        for (int i = 0; i < 1000; ++i) coir::this_fiber::yield();
    });
    over = true;
    other.join();
    return rate;
}

}  // namespace tour
