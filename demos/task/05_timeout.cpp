// A coir::timeout limits everything that is called inside its scope. Scopes nest, and each knows its own.
#include <coir/task.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

int slow_answer(std::chrono::milliseconds thinking) {
    coir::this_fiber::sleep_for(thinking);
    return 42;
}

int main() {
    try {
        coir::timeout limit(50ms);
        slow_answer(1h);  // knows nothing of the limit
    } catch (const coir::timed_out&) {
        std::cout << "given up\n";
    }

    {
        coir::timeout limit(1h);
        std::cout << "in time: " << slow_answer(1ms) << "\n";
    }  // the end of the scope is the end of the limit

    std::cout << "as a call: " << coir::wait_for(1h, slow_answer, 1ms) << "\n";

    // The whole meal has a limit, and each course one of its own.
    coir::timeout dinner(500ms);
    int course_number = 0;
    try {
        for (;;) {
            coir::timeout course(50ms);
            try {
                slow_answer(++course_number < 3 ? 1h : 0ms);
                std::cout << "course " << course_number << " was served\n";
                break;
            } catch (const coir::timed_out& e) {
                if (!course.owns(e)) throw;  // not ours: somebody further out wants us to stop
                std::cout << "course " << course_number << " took too long\n";
            }
        }
        slow_answer(1h);
    } catch (const coir::timed_out& e) {
        std::cout << "dinner is over: " << std::boolalpha << dinner.owns(e) << "\n";
    }
}
