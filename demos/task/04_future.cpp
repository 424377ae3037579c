// A promise is kept by one side, its future waited for by the other: two tasks, or a task and a plain thread.
// As std::promise and std::future, except that waiting parks a fiber and not the thread.
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

int main() {
    coir::promise<std::string> order;
    auto cook = coir::spawn([&order] {
        std::cout << "the cook starts\n";
        coir::this_fiber::sleep_for(20ms);
        order.set_value("pancakes");  // wakes who waits; does not suspend
    });
    coir::future<std::string> meal = order.get_future();
    std::cout << "ready before anybody cooked: " << std::boolalpha << meal.ready() << "\n";
    const std::string dish = meal.get();  // main waits, so the cook runs
    std::cout << "served: " << dish << "\n";
    cook.join();

    // Any thread may set it.
    coir::promise<int> from_thread;
    auto answer = from_thread.get_future();
    std::thread thinker([&from_thread] { from_thread.set_value(42); });
    std::cout << "a thread says: " << answer.get() << "\n";
    thinker.join();

    // An error travels as well.
    coir::promise<int> burnt;
    auto dessert = burnt.get_future();
    burnt.set_exception(std::make_exception_ptr(std::runtime_error("the oven is on fire")));
    try {
        dessert.get();
    } catch (const std::runtime_error& e) {
        std::cout << "no dessert: " << e.what() << "\n";
    }

    // Nobody waits for ever for a promise that went away.
    coir::future<int> orphan = coir::promise<int>().get_future();
    try {
        orphan.get();
    } catch (const std::future_error& e) {
        std::cout << "broken promise: " << (e.code() == std::future_errc::broken_promise) << "\n";
    }
}
