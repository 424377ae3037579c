// Tasks, channels, mutexes, and wakes between hubs.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <array>
#include <cstddef>
#include <mutex>
#include <vector>

#include "works.hpp"

namespace {

using measure::outcome;
using measure::plan;

constexpr coir::spawn_options small{.stack_size = 64 * 1024};

/// What the tasks of a crowd share.
struct crowd {
    long turns = 0, wake_at = 0;
    bool stop = false;
    coir::event woken;
};

void take_turns(crowd& all) {
    for (; !all.stop; coir::this_fiber::yield()) {
        if (++all.turns == all.wake_at) all.woken.set();
    }
}

/// p.size tasks take turns while this one waits. The one that wakes it does so early: all others have their turns
/// before it does.
outcome yield(const plan& p) {
    crowd all;
    std::vector<coir::task<void>> tasks(static_cast<std::size_t>(p.size));
    for (auto& t : tasks) t = coir::spawn(small, [&] { take_turns(all); });
    const outcome o = p.repeat(p.size, [&](long n) {
        const long before = all.turns;
        all.wake_at = before + n - (p.size - 1);
        all.woken.wait();
        all.woken.clear();
        return all.turns - before;
    });
    all.stop = true;
    for (auto& t : tasks) t.join();
    return o;
}

outcome spawn_join(const plan& p) {
    std::vector<coir::task<long>> tasks(static_cast<std::size_t>(p.size));
    return p.repeat(p.size, [&](long n) {
        long sum = 0;
        for (long round = n / p.size; round > 0; --round) {
            for (auto& t : tasks) t = coir::spawn([] { return 1L; });
            for (auto& t : tasks) sum += t.get();
        }
        return sum;
    });
}

long ping_pong(std::size_t capacity, long messages) {
    coir::channel<long> ping(capacity), pong(capacity);
    long received = 0;
    auto other = coir::spawn([&] {
        for (long i : ping) {
            ++received;
            pong.send(i);
        }
    });
    for (long i = 0; i < messages / 2; ++i) {
        ping.send(i);
        received += pong.recv() == i;
    }
    ping.close();
    other.join();
    return received;
}

long stream(std::size_t capacity, long items) {
    coir::channel<long> numbers(capacity);
    auto receiver = coir::spawn([&] {
        long received = 0;
        for (long i : numbers) received += i == received;
        return received;
    });
    for (long i = 0; i < items; ++i) numbers.send(i);
    numbers.close();
    return receiver.get();
}

outcome channel(const plan& p) {
    const auto capacity = static_cast<std::size_t>(p.size);
    return p.repeat(1000, [&](long n) { return capacity > 1 ? stream(capacity, n) : ping_pong(capacity, n); });
}

outcome mutex(const plan& p) {
    coir::mutex m;
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
            coir::this_fiber::yield();
            ++counter;
        }
    };
    return p.repeat(1000, [&](long n) {
        counter = 0;
        if (p.size == 1) {
            free_turns(n);
        } else {
            auto a = coir::spawn(contended_turns, n / 2);
            auto b = coir::spawn(contended_turns, n / 2);
            a.join();
            b.join();
        }
        return counter;
    });
}

template <class Spawn>
long skynet_node(Spawn& spawn, long first, long size) {
    if (size == 1) return first;
    std::array<coir::task<long>, 10> children;
    const long part = size / 10;
    for (auto& child : children) {
        child = spawn([&spawn, first, part] { return skynet_node(spawn, first, part); });
        first += part;
    }
    long sum = 0;
    for (auto& child : children) sum += child.get();
    return sum;
}

outcome skynet(const plan& p) {
    auto spawn = [](auto body) { return coir::spawn(small, std::move(body)); };
    return measure::skynet(p, [&](long leaves) { return skynet_node(spawn, 0, leaves); });
}

outcome skynet_2(const plan& p) {
    coir::hub_pool hubs(2);
    auto spawn = [&](auto body) { return hubs.spawn(small, std::move(body)); };
    return measure::skynet(p, [&](long leaves) { return spawn([&] { return skynet_node(spawn, 0, leaves); }).get(); });
}

outcome parked(const plan& p) {
    coir::event go;
    std::vector<coir::task<bool>> tasks(static_cast<std::size_t>(p.size));
    const auto create = [&] {
        for (auto& t : tasks) {
            t = coir::spawn(small, [&] {
                go.wait();
                return true;
            });
        }
        coir::this_fiber::yield();
    };
    return measure::parked(p, create, [&] {
        go.set();
        long long woken = 0;
        for (auto& t : tasks) woken += t.get();
        return woken;
    });
}

long wake_sleeper(const coir::hub& other, long n) {
    coir::event back;
    long received = 0;
    for (long i = 0; i < n; ++i) {
        other.post([&] {
            ++received;
            back.set();
        });
        back.wait();
        back.clear();
    }
    return received;
}

/// As many as `window` are on their way at a time.
long post_many(const coir::hub& other, long n) {
    constexpr long window = 10'000;
    long received = 0;
    for (long left = n; left > 0; left -= window) {
        for (long i = 0; i < window; ++i) other.post([&received] { ++received; });
        coir::event all;
        other.post([&] { all.set(); });
        all.wait();
    }
    return received;
}

outcome wake(const plan& p) {
    coir::hub_pool hubs(1);
    std::atomic<bool> stop{false};
    if (p.size == 0) return p.repeat(100, [&](long n) { return wake_sleeper(hubs.hub(0), n); });
    auto busy = hubs.spawn([&] {
        while (!stop) coir::this_fiber::yield();
    });
    const outcome o = p.repeat(10'000, [&](long n) { return post_many(hubs.hub(0), n); });
    stop = true;
    busy.join();
    return o;
}

}  // namespace

int main(int argc, char** argv) {
    return measure::run(argc, argv,
                        {{"switch", switch_ring},
                         {"switch_deep", switch_deep},
                         {"switch_pair", switch_pair},
                         {"switch_flags", switch_flags},
                         {"yield", yield},
                         {"spawn_join", spawn_join},
                         {"channel", channel},
                         {"mutex", mutex},
                         {"skynet", skynet},
                         {"skynet_2", skynet_2},
                         {"timer_cancel", timer_cancel},
                         {"timer_rearm", timer_rearm},
                         {"timer_core_cancel", timer_core_cancel},
                         {"timer_core_rearm", timer_core_rearm},
                         {"timer_expire", timer_expire},
                         {"parked", parked},
                         {"wake", wake}});
}
