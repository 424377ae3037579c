// Boost.Fiber. Stacks are pooled where fibers come and go; it has no pool of guarded ones.
#include <array>
#include <atomic>
#include <boost/fiber/algo/work_stealing.hpp>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../common/measure.hpp"

namespace fibers = boost::fibers;

namespace {

using measure::outcome;
using measure::plan;

constexpr std::size_t stack_size = 64 * 1024;

template <class Stacks, class Body>
auto spawn(fibers::launch when, Stacks& stacks, Body body) {
    using R = decltype(body());
    fibers::packaged_task<R()> job(std::move(body));
    auto result = job.get_future();
    fibers::fiber(when, std::allocator_arg, stacks, std::move(job)).detach();
    return result;
}

/// What the fibers of a crowd share.
struct crowd {
    long turns = 0, wake_at = 0;
    bool stop = false;
    fibers::buffered_channel<bool> woken{2};
};

void take_turns(crowd& all) {
    for (; !all.stop; boost::this_fiber::yield()) {
        if (++all.turns == all.wake_at) all.woken.push(true);
    }
}

/// p.size fibers take turns while this one waits. The one that wakes it does so early: all others have their turns
/// before it does.
outcome yield(const plan& p) {
    crowd all;
    std::vector<fibers::fiber> members(static_cast<std::size_t>(p.size));
    for (auto& f : members) {
        f = fibers::fiber(std::allocator_arg, fibers::fixedsize_stack(stack_size), [&] { take_turns(all); });
    }
    const outcome o = p.repeat(p.size, [&](long n) {
        const long before = all.turns;
        all.wake_at = before + n - (p.size - 1);
        all.woken.value_pop();
        return all.turns - before;
    });
    all.stop = true;
    for (auto& f : members) f.join();
    return o;
}

outcome spawn_join(const plan& p) {
    fibers::pooled_fixedsize_stack stacks(stack_size);
    std::vector<fibers::future<long>> results(static_cast<std::size_t>(p.size));
    return p.repeat(p.size, [&](long n) {
        long sum = 0;
        for (long round = n / p.size; round > 0; --round) {
            for (auto& r : results) r = spawn(fibers::launch::post, stacks, [] { return 1L; });
            for (auto& r : results) sum += r.get();
        }
        return sum;
    });
}

template <class Channel>
long ping_pong(Channel& ping, Channel& pong, long messages) {
    long received = 0;
    fibers::fiber other([&] {
        for (long i : ping) {
            ++received;
            pong.push(i);
        }
    });
    for (long i = 0; i < messages / 2; ++i) {
        ping.push(i);
        received += pong.value_pop() == i;
    }
    ping.close();
    other.join();
    return received;
}

long stream(std::size_t capacity, long items) {
    fibers::buffered_channel<long> numbers(2 * capacity);  // of a buffer of 2n, 2n - 1 are used
    long received = 0;
    fibers::fiber receiver([&] {
        for (long i : numbers) received += i == received;
    });
    for (long i = 0; i < items; ++i) numbers.push(i);
    numbers.close();
    receiver.join();
    return received;
}

/// A buffered one has room for a power of two, less one.
outcome channel(const plan& p) {
    return p.repeat(1000, [&](long n) {
        if (p.size > 1) return stream(static_cast<std::size_t>(p.size), n);
        if (p.size == 1) {
            fibers::buffered_channel<long> ping(2), pong(2);
            return ping_pong(ping, pong, n);
        }
        fibers::unbuffered_channel<long> ping, pong;
        return ping_pong(ping, pong, n);
    });
}

outcome mutex(const plan& p) {
    fibers::mutex m;
    long counter = 0;
    const auto free_turns = [&](long n) {
        for (long i = 0; i < n; ++i) {
            const std::lock_guard guard(m);
            ++counter;
        }
    };
    const auto contended_turns = [&](long n) {
        for (long i = 0; i < n; ++i) {
            const std::lock_guard guard(m);
            boost::this_fiber::yield();
            ++counter;
        }
    };
    return p.repeat(1000, [&](long n) {
        counter = 0;
        if (p.size == 1) {
            free_turns(n);
        } else {
            fibers::fiber a(contended_turns, n / 2), b(contended_turns, n / 2);
            a.join();
            b.join();
        }
        return counter;
    });
}

template <class Spawn>
long skynet_node(const Spawn& spawn_child, long first, long size) {
    if (size == 1) return first;
    std::array<fibers::future<long>, 10> children;
    const long part = size / 10;
    for (auto& child : children) {
        child = spawn_child([&spawn_child, first, part] { return skynet_node(spawn_child, first, part); });
        first += part;
    }
    long sum = 0;
    for (auto& child : children) sum += child.get();
    return sum;
}

/// Children start at once: queued, each of the million would have a stack already.
outcome skynet(const plan& p) {
    fibers::pooled_fixedsize_stack stacks(stack_size);
    const auto spawn_child = [&](auto body) { return spawn(fibers::launch::dispatch, stacks, std::move(body)); };
    return measure::skynet(p, [&](long leaves) { return skynet_node(spawn_child, 0, leaves); });
}

/// Two threads that steal from each other; the pool of stacks is for one thread, so that here each stack is its own.
outcome skynet_2(const plan& p) {
    fibers::fixedsize_stack stacks(stack_size);
    const auto spawn_child = [&](auto body) { return spawn(fibers::launch::dispatch, stacks, std::move(body)); };
    fibers::mutex m;
    fibers::condition_variable ended;
    bool stop = false;
    std::thread second([&] {
        fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2U, true);
        std::unique_lock lock(m);
        ended.wait(lock, [&] { return stop; });
    });
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2U, true);  // waits for the other's
    const outcome o = measure::skynet(p, [&](long leaves) { return skynet_node(spawn_child, 0, leaves); });
    {
        const std::lock_guard guard(m);
        stop = true;
    }
    ended.notify_all();
    second.join();
    return o;
}

/// Unguarded: with guards it ends at half of vm.max_map_count.
outcome parked(const plan& p) {
    fibers::mutex m;
    fibers::condition_variable go;
    bool is_set = false;
    long long woken = 0;
    std::vector<fibers::fiber> all(static_cast<std::size_t>(p.size));
    const auto create = [&] {
        for (auto& f : all) {
            f = fibers::fiber(std::allocator_arg, fibers::fixedsize_stack(stack_size), [&] {
                std::unique_lock lock(m);
                go.wait(lock, [&] { return is_set; });
                ++woken;
            });
        }
        boost::this_fiber::yield();
    };
    return measure::parked(p, create, [&] {
        is_set = true;
        go.notify_all();
        for (auto& f : all) f.join();
        return woken;
    });
}

std::chrono::steady_clock::time_point at(std::int64_t ns) {
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
}

/// A timer is a fiber that sleeps; it has no other.
outcome timer_expire(const plan& p) {
    std::vector<fibers::fiber> sleepers(static_cast<std::size_t>(p.size));
    long long in_time = 0;
    const auto arm = [&](std::int64_t first) {
        in_time = 0;
        for (long i = 0; i < p.size; ++i) {
            const auto due = at(first + measure::spread(i, p.size));
            sleepers[static_cast<std::size_t>(i)] =
                fibers::fiber(std::allocator_arg, fibers::fixedsize_stack(stack_size), [&in_time, due] {
                    boost::this_fiber::sleep_until(due);
                    in_time += std::chrono::steady_clock::now() >= due;
                });
        }
    };
    const auto sleep_until = [](std::int64_t ns) { boost::this_fiber::sleep_until(at(ns)); };
    return measure::timer_expire(p, 12'000, arm, sleep_until, [&] {
        for (auto& f : sleepers) f.join();
        return in_time;
    });
}

/// Between two threads, each with a scheduler of its own.
outcome wake(const plan& p) {
    constexpr long last = 0;
    fibers::buffered_channel<long> there(p.size == 0 ? 2 : 16'384), back(2);
    std::atomic<bool> stop{false};
    std::thread other([&] {
        fibers::fiber busy([&] {
            while (p.size == 1 && !stop) boost::this_fiber::yield();
        });
        for (long received = 0; long i : there) {
            ++received;
            if (i != last && p.size == 1) continue;
            back.push(std::exchange(received, 0));
        }
        busy.join();
    });
    const auto round_trips = [&](long n) {
        long received = 0;
        for (long i = 1; i <= n; ++i) {
            there.push(i);
            received += back.value_pop();
        }
        return received;
    };
    const auto posts = [&](long n) {
        for (long i = 1; i < n; ++i) there.push(i);
        there.push(last);
        return back.value_pop();
    };
    const outcome o = p.repeat(100, [&](long n) { return p.size == 0 ? round_trips(n) : posts(n); });
    stop = true;
    there.close();
    other.join();
    return o;
}

}  // namespace

int main(int argc, char** argv) {
    return measure::run(argc, argv,
                        {{"yield", yield},
                         {"spawn_join", spawn_join},
                         {"channel", channel},
                         {"mutex", mutex},
                         {"skynet", skynet},
                         {"skynet_2", skynet_2},
                         {"timer_expire", timer_expire},
                         {"parked", parked},
                         {"wake", wake}});
}
