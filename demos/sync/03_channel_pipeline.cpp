// Channels connect stages that run at their own speed. A bounded one makes a fast sender wait for a slow
// receiver (back-pressure), so that nothing piles up, however long the stream is.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>

using namespace std::chrono_literals;

int main() {
    coir::channel<int> numbers(4);  // up to four wait in between
    coir::channel<int> squares;     // none: sender and receiver meet
    std::size_t most_waiting = 0;
    int received = 0, sum = 0;

    coir::task_group stages;
    stages.spawn([&] {
        for (int n = 1; n <= 100; ++n) {
            numbers.send(n);  // suspends while there is no room
            most_waiting = std::max(most_waiting, numbers.size());
        }
        numbers.close();  // no more; what is inside still arrives
    });
    stages.spawn([&] {
        for (const int n : numbers) squares.send(n * n);  // ends when the channel is closed and empty
        squares.close();
    });
    stages.spawn([&] {
        while (const auto square = squares.recv()) {  // the same in longhand: nothing at the end
            ++received;
            sum += *square;
            if (*square % 2500 == 0) std::cout << *square << " arrives\n";
            coir::this_fiber::sleep_for(1ms);  // the slow one sets the pace
        }
    });
    stages.join();

    std::cout << received << " squares, their sum is " << sum << "\n";
    std::cout << "at most " << most_waiting << " numbers waited in line\n";

    // For who would rather not wait.
    coir::channel<int> inbox(1);
    const bool first = inbox.try_send(1);
    const bool second = inbox.try_send(2);
    std::cout << std::boolalpha << "try_send: " << first << ", then, full: " << second << "\n";
}
