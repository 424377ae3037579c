// A generator whose body waits. Other languages need `async for` for that; here it is a range like any other, for a
// range-for and for the views of the standard library, and while its body waits the other fibers run.
#include <coir/fiber.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <ranges>

using namespace std::chrono_literals;

struct power {
    ~power() { std::cout << "  the thermometer is switched off\n"; }
};

coir::generator<int> temperatures() {
    return coir::generator<int>([](auto& yield) {
        const power on;
        for (const int degrees : {17, 18, 19, 20}) {
            coir::this_fiber::sleep_for(20ms);  // a slow instrument
            yield(degrees);
        }
        coir::this_fiber::sleep_for(1h);  // and not a good one
    });
}

int main() {
    int ticks = 0;
    auto clock = coir::spawn([&] {
        for (;; ++ticks) coir::this_fiber::sleep_for(1ms);
    });

    for (const int degrees : temperatures()) {
        std::cout << degrees << " degrees\n";
        if (degrees == 18) break;  // dropped half-way: the body unwinds
    }
    std::cout << "meanwhile the clock went on: " << std::boolalpha << (ticks > 1) << "\n";
    clock.cancel();

    const auto is_even = [](int d) { return d % 2 == 0; };
    const auto fahrenheit = [](int d) { return d * 9 / 5 + 32; };
    try {
        coir::timeout limit(300ms);  // for the loop, and so for what its generator waits for
        for (const int degrees : temperatures() | std::views::filter(is_even) | std::views::transform(fahrenheit)) {
            std::cout << degrees << " degrees Fahrenheit\n";
        }
    } catch (const coir::timed_out&) {
        std::cout << "no more for a long time\n";
    }
}
