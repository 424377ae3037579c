// Between two suspensions nobody interrupts a fiber, so fibers of one thread need a lock only where one waits
// in the middle and others must stay out. coir::mutex parks the fiber, and works with std::lock_guard.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <iostream>
#include <mutex>

int ask_the_bank(int balance) {
    coir::this_fiber::yield();  // stands for a question over the network: others run meanwhile
    return balance;
}

int main() {
    int balance = 0;
    {
        coir::task_group group;
        for (int i = 0; i < 10; ++i) {
            group.spawn([&] { balance = ask_the_bank(balance) + 1; });  // all ten read 0 before one writes
        }
    }  // a group joins at the end of its scope
    std::cout << "ten deposits without a lock: " << balance << "\n";

    balance = 0;
    coir::mutex lock;
    {
        coir::task_group group;
        for (int i = 0; i < 10; ++i) {
            group.spawn([&] {
                const std::lock_guard hold(lock);  // first come, first served
                balance = ask_the_bank(balance) + 1;
            });
        }
    }
    std::cout << "ten deposits with a lock: " << balance << "\n";

    balance = 0;
    {
        coir::task_group group;
        for (int i = 0; i < 10; ++i) {
            group.spawn([&] { ++balance; });  // no suspension in the middle: no lock is needed
        }
    }
    std::cout << "ten deposits without a wait: " << balance << "\n";
}
