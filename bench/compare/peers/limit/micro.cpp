// What the machine allows: bare contexts, a bare timer wheel, bare pages, bare notifications between threads.
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "queue.hpp"
#include "ring.hpp"
#include "wheel.hpp"

namespace {

using measure::outcome;
using measure::plan;

outcome spawn_join(const plan& p) {
    std::vector<std::unique_ptr<queue::task>> tasks(static_cast<std::size_t>(p.size));
    return p.repeat(p.size, [&](long n) {
        long sum = 0;
        for (long round = n / p.size; round > 0; --round) {
            for (auto& t : tasks) t = queue::spawn([] { return 1L; });
            for (auto& t : tasks) sum += t->join();
        }
        return sum;
    });
}

constexpr std::uint64_t second = 1'000'000'000;

std::uint64_t now_ns() { return static_cast<std::uint64_t>(measure::clock_ns()); }

struct pending_timers {
    explicit pending_timers(long n) : timers(static_cast<std::size_t>(n)) {
        for (auto& t : timers) queue.arm(t, later());
    }
    std::uint64_t later() { return now + 30 * second + random.next() % (60 * second); }

    measure::random random;
    const std::uint64_t now = now_ns();
    wheel queue{now};
    std::vector<wheel_timer> timers;
};

outcome timer_cancel(const plan& p) {
    pending_timers others(p.size);
    wheel_timer fresh;
    std::uint64_t due = others.now + 30 * second;
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            others.queue.arm(fresh, ++due);
            asm volatile("" ::"g"(&fresh) : "memory");
            others.queue.cancel(fresh);
            cancelled += !fresh.is_linked();
        }
        return cancelled;
    });
}

outcome timer_rearm(const plan& p) {
    pending_timers others(p.size);
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            wheel_timer& t = others.timers[others.random.below(others.timers.size())];
            others.queue.cancel(t);
            cancelled += !t.is_linked();
            others.queue.arm(t, others.later());
        }
        return cancelled;
    });
}

void sleep_until(std::int64_t ns) {
    const timespec t{ns / 1'000'000'000, ns % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

/// Wakes for each tick, as long as there are timers.
outcome timer_expire(const plan& p) {
    struct timed : wheel_timer {
        std::uint64_t wanted = 0;
    };
    std::vector<timed> timers(static_cast<std::size_t>(p.size));
    wheel queue(now_ns());
    const auto arm = [&](std::int64_t first) {
        for (long i = 0; i < p.size; ++i) {
            timed& t = timers[static_cast<std::size_t>(i)];
            t.wanted = static_cast<std::uint64_t>(first + measure::spread(i, p.size));
            queue.arm(t, t.wanted);
        }
    };
    return measure::timer_expire(p, 500, arm, sleep_until, [&] {
        long long in_time = 0;
        for (long fired = 0; fired < p.size;) {
            queue.advance(now_ns(), [&](wheel_timer& t) {
                ++fired;
                in_time += now_ns() >= static_cast<timed&>(t).wanted;
            });
            if (fired < p.size)
                sleep_until(static_cast<std::int64_t>((now_ns() / wheel::tick_ns + 1) * wheel::tick_ns));
        }
        return in_time;
    });
}

/// Touches the top page of each stack and guards its bottom.
outcome park_floor(const plan& p) {
    const auto n = static_cast<std::size_t>(p.size);
    const slab stacks(n);
    const auto touch_all = [&] {
        for (std::size_t i = 0; i < n; ++i) {
            stacks.guard(i);
            stacks.bottom(i)[slab::stack_size - 1] = 1;
        }
    };
    return measure::parked(p, touch_all, [&] {
        long long touched = 0;
        for (std::size_t i = 0; i < n; ++i) touched += stacks.bottom(i)[slab::stack_size - 1];
        return touched;
    });
}

/// A thread that sleeps in read() of an eventfd, and answers through another.
outcome wake_sleeper(const plan& p) {
    const int there = eventfd(0, 0), back = eventfd(0, 0);
    const std::uint64_t one = 1;
    std::uint64_t got = 0;
    std::atomic<bool> stop{false};
    long received = 0;
    std::thread other([&] {
        std::uint64_t asked = 0;
        while (read(there, &asked, 8) == 8 && !stop) {
            received += static_cast<long>(asked);
            if (write(back, &one, 8) != 8) return;
        }
    });
    const outcome o = p.repeat(100, [&](long n) {
        const long before = received;
        for (long i = 0; i < n; ++i) {
            if (write(there, &one, 8) != 8 || read(back, &got, 8) != 8) break;
        }
        return received - before;
    });
    stop = true;
    if (write(there, &one, 8) != 8) std::abort();
    other.join();
    close(there);
    close(back);
    return o;
}

/// A stream to a thread that never sleeps: a push on an atomic list each. It looks there now and then: one that did
/// nothing else would take the line away from the sender all the time.
outcome post_to_busy(const plan& p) {
    struct item {
        item* next;
    };
    constexpr long window = 10'000;
    std::vector<item> items(window);
    std::atomic<item*> inbox{nullptr};
    std::atomic<bool> stop{false};
    std::atomic<long> received{0};
    std::thread other([&] {
        while (!stop) {
            item* i = inbox.load(std::memory_order_relaxed) ? inbox.exchange(nullptr) : nullptr;
            long count = 0;
            for (; i; i = i->next) ++count;
            if (count != 0) received += count;
            for (int pause = 0; pause < 100; ++pause) __builtin_ia32_pause();
        }
    });
    const outcome o = p.repeat(window, [&](long n) {
        const long before = received;
        for (long left = n; left > 0; left -= window) {
            const long all = received + window;
            for (item& i : items) {
                i.next = inbox.load(std::memory_order_relaxed);
                while (!inbox.compare_exchange_weak(i.next, &i)) {
                }
            }
            while (received != all) __builtin_ia32_pause();
        }
        return received - before;
    });
    stop = true;
    other.join();
    return o;
}

outcome wake(const plan& p) { return p.size == 0 ? wake_sleeper(p) : post_to_busy(p); }

}  // namespace

int main(int argc, char** argv) {
    return measure::run(argc, argv,
                        {{"switch", hops<ontop, kind::shallow>},
                         {"switch_deep", hops<ontop, kind::deep>},
                         {"switch_pair", pair_hops<ontop>},
                         {"switch_flags", hops<ontop, kind::deep_with_flags>},
                         {"yield", hops<ontop, kind::scheduled>},
                         {"spawn_join", spawn_join},
                         {"timer_cancel", timer_cancel},
                         {"timer_rearm", timer_rearm},
                         {"timer_core_cancel", timer_cancel},
                         {"timer_core_rearm", timer_rearm},
                         {"timer_expire", timer_expire},
                         {"park_floor", park_floor},
                         {"wake", wake}});
}
