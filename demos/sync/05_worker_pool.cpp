// Workers that share a channel of jobs: whoever is free takes the next one, so that a long job holds up nobody else.
// (A worker can keep something for all its jobs, a connection say. Where it need not, task_group's `limit` will do.)
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <initializer_list>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

struct job {
    std::string what;
    std::chrono::milliseconds work;
};

int main() {
    coir::channel<job> jobs;
    coir::channel<std::string> results;

    coir::task_group bakers;
    for (const std::string name : {"ann", "bob"}) {
        bakers.spawn([&, name] {
            for (const job& j : jobs) {  // until it is closed and empty
                coir::this_fiber::sleep_for(j.work);
                results.send(name + ": " + j.what);
            }
        });
    }

    auto boss = coir::spawn([&] {
        for (const job& j : std::initializer_list<job>{
                 {"a wedding cake", 300ms}, {"a roll", 10ms}, {"a bun", 10ms}, {"a pie", 10ms}, {"a loaf", 10ms}}) {
            jobs.send(j);  // waits until somebody takes it
        }
        jobs.close();     // by the only one who sends
        bakers.join();    // several send results, so that channel is closed
        results.close();  // by the one who has seen the last of them end
    });

    for (const std::string& line : results) std::cout << line << "\n";
    boss.join();
}
