// Work for several processors: a hub_pool is some threads with a hub each. A channel between two of them is the same
// as between two fibers of one thread, so a pipeline is written as ever, and its stages compute at the same time.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <iostream>
#include <set>
#include <thread>
#include <vector>

bool is_prime(int n) {
    for (int d = 2; d * d <= n; ++d) {
        if (n % d == 0) return false;
    }
    return n > 1;
}

int main() {
    coir::channel<int> numbers(64), primes(64);
    coir::hub_pool hubs(3);  // after what its tasks use: its end is theirs

    auto source = hubs.spawn([&] {  // on any of them; once started it stays there
        for (int n = 0; n < 10'000; ++n) numbers.send(n);
        numbers.close();
    });

    std::vector<coir::task<std::thread::id>> sieves;
    for (std::size_t i = 0; i < hubs.size(); ++i) {
        sieves.push_back(hubs.spawn_on(i, [&] {  // one on each
            for (const int n : numbers) {
                if (is_prime(n)) primes.send(n);
            }
            return std::this_thread::get_id();
        }));
    }

    // Several send primes, so none of them may close the channel: that is for who has seen all of them end. This one
    // is an ordinary task, of main's own hub.
    auto last = coir::spawn([&] {
        coir::wait(sieves);
        primes.close();
    });

    int count = 0, sum = 0;
    for (const int p : primes) ++count, sum += p;
    std::cout << count << " primes, their sum is " << sum << "\n";

    std::set threads = {std::this_thread::get_id()};
    for (auto& s : sieves) threads.insert(s.get());
    std::cout << "threads that took part: " << threads.size() << "\n";
}
