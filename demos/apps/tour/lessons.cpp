#include "lessons.hpp"

#include "terminal.hpp"

#include <coir/coir.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace tour {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// The heading of a lesson; at its end, how long it took.
class lesson {
public:
    explicit lesson(std::string_view title) { print("{} {}\n", bold(fmt::format("{:>2}.", ++number)), bold(title)); }
    lesson(const lesson&) = delete;
    ~lesson() { print("    {}\n\n", dim("took " + in_words(clock::now() - start_))); }

    template <class... Args>
    void say(fmt::format_string<Args...> format, Args&&... args) {
        print("    {}\n", fmt::format(format, std::forward<Args>(args)...));
    }

private:
    static inline int number = 0;
    clock::time_point start_ = clock::now();
};

void switching_by_hand() {
    lesson l("Two fibers hand the thread to each other, each with a stack of its own");
    std::string order;
    coir::fiber a, b;
    a = coir::fiber([&] {
        order += "1 ";
        b.switch_to();
        order += "2 ";
        b.switch_to();
    });
    b = coir::fiber([&] {
        order += "3 ";
        a.switch_to();
        order += "4";
    });
    a.switch_to();
    l.say("a: 1, switch, 2, switch    b: 3, switch, 4    together: {}", green(order));
}

void generators() {
    lesson l("A generator is a function that hands out results in the middle of its work");
    coir::generator<std::uint64_t> fibonacci([](auto& yield) {
        for (std::uint64_t a = 0, b = 1;; b = a + std::exchange(a, b)) yield(a);
    });
    std::string first;
    for (const auto number : fibonacci) {
        if (number > 250) break;  // the function is unwound where it stands
        first += fmt::format("{} ", number);
    }
    l.say("Fibonacci, without an end: {}...", green(first));
}

void three_sleepers() {
    lesson l("Three tasks sleep 400, 300 and 200 ms on one thread: together 400, not 900");
    const auto sleep = [&](const char* name, std::chrono::milliseconds length) {
        coir::this_fiber::sleep_for(length);  // parks the fiber; the thread goes on with others
        l.say("{} wakes after {}", name, length.count());
    };
    auto bear = coir::spawn(sleep, "the bear", 400ms);
    auto cat = coir::spawn(sleep, "the cat ", 200ms);
    auto dog = coir::spawn(sleep, "the dog ", 300ms);
    coir::gather(bear, cat, dog);
}

void many_sleepers() {
    lesson l("10,000 tasks sleep half a second each: that is half a second, not 83 minutes");
    std::size_t awake = 0;
    coir::task_group sleepers;
    for (int i = 0; i < 10'000; ++i) {
        sleepers.spawn([&] {
            coir::this_fiber::sleep_for(500ms);
            ++awake;  // one thread: no lock
        });
    }
    sleepers.join();
    l.say("{} have woken", green(grouped(awake)));
}

void channels() {
    lesson l("A channel between two tasks; the fast one waits for the slow one");
    coir::channel<int> numbers(3);  // room for three in between
    std::size_t most = 0;
    auto sender = coir::spawn([&] {
        for (int i = 1; i <= 100; ++i) {
            numbers.send(i);
            most = std::max(most, numbers.size());
        }
        numbers.close();
    });
    int sum = 0;
    for (const int number : numbers) {  // until it is closed and empty
        coir::this_fiber::sleep_for(1ms);
        sum += number;
    }
    sender.get();
    l.say("1 + 2 + ... + 100 = {}, and never more than {} in line", green(std::to_string(sum)), most);
}

void limits() {
    lesson l("A time limit holds for a scope, whatever is called inside it");
    try {
        coir::timeout limit(100ms);
        coir::net::tcp_listener nobody = coir::net::tcp_listener::bind("127.0.0.1", 0);
        nobody.accept();  // waits for ever, and knows of no limit
    } catch (const coir::timed_out&) {
        l.say("nobody called within 100 ms, and the socket is closed");
    }
}

void cancellation() {
    lesson l("Cancelling a task unwinds it: its destructors run");
    struct cleaner {
        ~cleaner() { log.say("the worker has put everything in order"); }
        lesson& log;
    };
    auto worker = coir::spawn([&] {
        const cleaner at_end{l};
        coir::this_fiber::sleep_for(1h);
    });
    coir::this_fiber::sleep_for(20ms);
    worker.cancel();
    worker.join();
    l.say("cancelled: {}", green(worker.was_cancelled() ? "yes" : "no"));
}

void task_groups() {
    lesson l("A group of tasks: the first that fails cancels the others, none outlives its scope");
    coir::task_group group;
    for (const int length : {30, 60, 90, 3'600'000}) {
        group.spawn([&l, length] {
            coir::this_fiber::sleep_for(std::chrono::milliseconds(length));
            if (length == 60) throw std::runtime_error("the second has failed");
            l.say("the one of {} ms is done", length);
        });
    }
    try {
        group.join();
    } catch (const std::runtime_error& e) {
        l.say("the group: {}; left: {}", green(e.what()), group.size());
    }
}

}  // namespace

void run_lessons() {
    switching_by_hand();
    generators();
    three_sleepers();
    many_sleepers();
    channels();
    limits();
    cancellation();
    task_groups();
}

}  // namespace tour
