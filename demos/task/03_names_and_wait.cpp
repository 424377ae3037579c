// Tasks can have names, and a wait can have a limit: what has ended by then is in `done`, the rest is in
// `pending` and goes on.
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

void print(std::string_view title, const std::vector<coir::task<void>>& tasks) {
    std::cout << title << ":";
    for (const auto& t : tasks) std::cout << ' ' << t.name();
    std::cout << "\n";
}

void walk(std::chrono::milliseconds distance) {
    coir::this_fiber::sleep_for(distance);
    std::cout << coir::this_fiber::name() << " arrives\n";
}

int main() {
    std::vector<coir::task<void>> all;
    all.push_back(coir::spawn({.name = "snail"}, walk, 1h));
    all.push_back(coir::spawn({.name = "hare"}, walk, 50ms));
    all.push_back(coir::spawn({.name = "tortoise"}, walk, 300ms));

    auto [winner, others] = coir::wait(all, {.until = coir::until::first_completed});
    print("  done", winner);
    print("  pending", others);

    auto [done, pending] = coir::wait(all, {.timeout = 500ms});
    print("  done", done);  // in the order in which they were given, not in that of arrival
    print("  pending", pending);

    // Pending tasks are not lost: they can be waited for again, or told to stop.
    for (auto& t : pending) t.cancel();
    coir::wait(pending);
    std::cout << "the snail was cancelled: " << std::boolalpha << pending.front().was_cancelled() << "\n";
}
