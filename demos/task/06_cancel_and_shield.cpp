// cancel() throws coir::cancelled in a task where it waits, so that its destructors run. A shield keeps that
// away from a part that must not be interrupted.
#include <coir/task.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

struct file {
    file() { std::cout << "opened\n"; }
    ~file() { std::cout << "closed\n"; }
};

int main() {
    auto reader = coir::spawn([] {
        const file f;
        coir::this_fiber::sleep_for(1h);
        return 1;
    });
    coir::this_fiber::yield();  // it opens its file and waits
    reader.cancel();            // asks; it ends when it gets to run
    try {
        reader.get();
    } catch (const coir::task_cancelled&) {  // another's cancellation has another type than one's own
        std::cout << "the reader was cancelled\n";
    }

    auto writer = coir::spawn([] {
        {
            coir::shield mask;
            std::cout << "first half\n";
            coir::this_fiber::sleep_for(50ms);  // not interrupted
            std::cout << "second half\n";
        }
        coir::this_fiber::sleep_for(1h);  // here the cancellation arrives
        std::cout << "never printed\n";
    });
    coir::this_fiber::yield();
    writer.cancel();
    writer.join();  // waits for the end, and says nothing of how it ended
    std::cout << "the writer was cancelled: " << std::boolalpha << writer.was_cancelled() << "\n";

    auto early = coir::spawn([] { std::cout << "never printed\n"; });
    early.cancel();  // before it started: it never runs
    early.join();
    std::cout << "the early one was cancelled: " << early.was_cancelled() << "\n";
}
