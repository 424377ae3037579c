// Four hubs and four plain threads at one thing, with random limits and cancellations: nothing is lost, nothing comes
// twice. Each test counts its operations and prints how many there were.
#include "sync/kit.hpp"

#include <coir/task/hub_pool.hpp>

#include <atomic>
#include <cstdio>
#include <functional>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

#if defined(__SANITIZE_THREAD__)
constexpr long operations = 300'000;
#else
constexpr long operations = 1'000'000;
#endif
constexpr int hubs = 4, fibers_of_a_hub = 4, threads = 4;
constexpr int workers = hubs * fibers_of_a_hub + threads;

using dice_of_one = std::mt19937;

std::chrono::microseconds tiny(dice_of_one& random) { return std::chrono::microseconds(random() % 40); }

/// Everybody does `turn(random)` until all together have done so many operations; each turn may be cancelled in a fiber,
/// which hits any suspension inside it.
class everybody {
public:
    explicit everybody(long enough = operations) : enough_(enough) {}

    void run(const std::function<void(dice_of_one&)>& turn) {
        const auto work = [&](unsigned seed) {
            dice_of_one random(seed);
            while (done_.fetch_add(1, std::memory_order_relaxed) < enough_) {
                const std::string thrown = thrown_by([&] { turn(random); });
                EXPECT_TRUE(thrown.empty() || thrown == "cancelled") << thrown;
            }
        };
        coir::hub_pool pool(hubs);
        tasks fibers;
        for (unsigned i = 0; i < hubs * fibers_of_a_hub; ++i) fibers.push_back(pool.spawn_on(i % hubs, work, i));
        std::vector<std::thread> plain;
        for (unsigned i = 0; i < threads; ++i) plain.emplace_back(work, 1'000 + i);
        cancel_at_random(fibers);
        for (auto& t : fibers) t.join();
        for (auto& t : plain) t.join();
        std::printf("%ld operations, %ld cancellations\n", done_.load(), cancellations_);
    }

private:
    void cancel_at_random(tasks& fibers) {
        dice_of_one random(77);
        while (count_done(fibers) < fibers.size()) {
            // One that has not begun would never run.
            if (done_ > workers * 100) {
                fibers[random() % fibers.size()].cancel();
                ++cancellations_;
            }
            coir::this_fiber::sleep_for(100us);
        }
    }

    const long enough_;
    std::atomic<long> done_{0};
    long cancellations_ = 0;
};

COIR_TEST_WITH(stress, one_semaphore, .limit = 300s) {
    constexpr std::size_t permits = 5;
    coir::semaphore s(permits);
    std::atomic<long> out{0};
    everybody().run([&](auto& random) {
        const std::size_t n = random() % permits + 1;
        switch (random() % 4) {
            case 0:
                if (!s.try_acquire(n)) return;
                break;
            case 1:
                if (!s.try_acquire_for(n, tiny(random))) return;
                break;
            default:
                s.acquire(n);
        }
        EXPECT_LE(out += static_cast<long>(n), static_cast<long>(permits));
        thrown_by([&] {
            if (random() % 8 == 0 && coir::detail::hub_core::of_this_thread()) yield();
        });
        out -= static_cast<long>(n);
        s.release(n);
    });
    EXPECT_EQ(s.available(), permits);
}

/// Half of them take from a small store, and wait while it is empty; half of them put something in.
COIR_TEST_WITH(stress, one_mutex_and_condition_variable, .limit = 300s) {
    coir::mutex m;
    coir::condition_variable changed;
    long level = 0, put = 0, taken = 0;
    const auto take = [&](auto& random) {
        std::unique_lock lock(m, std::defer_lock);
        if (random() % 2) {
            lock.lock();
        } else if (!lock.try_lock_for(tiny(random))) {
            return;
        }
        if (!changed.wait_for(lock, tiny(random), [&] { return level > 0; })) return;
        --level;
        ++taken;
    };
    const auto give = [&](auto& random) {
        {
            const std::lock_guard guard(m);
            if (level == 2) return;  // or nobody would ever wait
            ++level;
            ++put;
        }
        random() % 8 ? changed.notify_one() : changed.notify_all();
    };
    everybody().run([&](auto& random) { random() % 2 ? take(random) : give(random); });
    EXPECT_EQ(put, taken + level);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

/// Nobody waits with a limit: a lost notification would stop them all.
COIR_TEST_WITH(stress, one_condition_variable_without_limits, .limit = 300s) {
    coir::mutex m;
    coir::condition_variable not_empty, not_full;
    long level = 0, put = 0, taken = 0;
    bool ended = false;
    const auto turn = [&](auto& random) {
        std::unique_lock lock(m);
        if (random() % 2) {
            if (level == 8) not_full.wait(lock, [&] { return level < 8 || ended; });
            if (ended) return;
            ++level;
            ++put;
            not_empty.notify_one();
        } else {
            // As many may want to take as to put: who would be the last to wait does not.
            if (level == 0) return;
            --level;
            ++taken;
            not_full.notify_one();
        }
    };
    std::atomic<bool> stop{false};
    std::thread drain([&] {
        while (!stop) {
            std::unique_lock lock(m);
            if (!not_empty.wait_for(lock, 1ms, [&] { return level > 0; })) continue;
            --level;
            ++taken;
            not_full.notify_one();
        }
    });
    everybody().run(turn);
    stop = true;
    drain.join();
    EXPECT_EQ(put, taken + level);
}

COIR_TEST_WITH(stress, one_channel, .limit = 300s) {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{3}, coir::channel<long>::unbounded}) {
        coir::channel<long> c(capacity);
        std::atomic<long> sent{0}, received{0};
        everybody(operations / 3).run([&](auto& random) {
            const long v = static_cast<long>(random() % 1000) + 1;
            const auto limit = tiny(random);
            if (random() % 2) {
                if (random() % 3 ? c.send_for(v, limit) : c.try_send(v)) sent += v;
            } else {
                received += (random() % 3 ? c.recv_for(limit) : c.try_recv()).value_or(0);
            }
        });
        while (auto v = c.try_recv()) received += *v;
        EXPECT_EQ(sent, received);
    }
}

/// Everybody sets it, clears it, waits for it; who waits without a limit is let go by the others sooner or later.
COIR_TEST_WITH(stress, one_event, .limit = 300s) {
    coir::event e;
    std::atomic<long> passed{0}, late{0};
    std::atomic<bool> stop{false};
    std::thread setter([&] {
        while (!stop) {
            e.set();
            std::this_thread::yield();
            e.clear();
        }
        e.set();
    });
    everybody().run([&](auto& random) {
        switch (random() % 4) {
            case 0:
                return e.set();
            case 1:
                return e.clear();
            case 2:
                ++(e.wait_for(tiny(random)) ? passed : late);
                return;
            default:
                e.wait();
                ++passed;
        }
    });
    stop = true;
    setter.join();
    EXPECT_GT(passed, 0);
}

COIR_TEST_WITH(stress, one_select_loop, .limit = 300s) {
    coir::channel<long> a, b(2);
    std::atomic<long> sent{0}, received{0};
    everybody().run([&](auto& random) {
        const long v = static_cast<long>(random() % 1000) + 1;
        const auto take = [&](std::optional<long> got) { received += *got; };
        const auto give = [&] { sent += v; };
        auto& first = random() % 2 ? a : b;
        auto& second = random() % 2 ? a : b;
        switch (random() % 4) {
            case 0:
                coir::select(coir::on_send(first, v, give), coir::on_recv(second, take),
                             coir::on_timeout(tiny(random)));
                break;
            case 1:
                coir::select(coir::on_recv(first, take), coir::on_recv(second, take), coir::on_timeout(tiny(random)));
                break;
            case 2:
                coir::select(coir::on_send(first, v, give), coir::on_send(second, v, give),
                             coir::on_timeout(tiny(random)));
                break;
            default:
                coir::select(coir::on_recv(first, take), coir::on_send(first, v, give), coir::otherwise());
        }
    });
    while (auto v = b.try_recv()) received += *v;
    EXPECT_EQ(sent, received);
}

COIR_TEST_WITH(stress, one_shared_mutex, .limit = 300s) {
    coir::shared_mutex m;
    std::atomic<int> readers{0};
    int writers = 0;
    long written = 0;
    std::atomic<long> counted{0};
    everybody().run([&](auto& random) {
        if (random() % 4) {
            if (random() % 2) {
                m.lock_shared();
            } else if (!m.try_lock_shared_for(tiny(random))) {
                return;
            }
            ++readers;
            EXPECT_EQ(writers, 0);
            --readers;
            m.unlock_shared();
        } else {
            if (random() % 2) {
                m.lock();
            } else if (!m.try_lock_for(tiny(random))) {
                return;
            }
            EXPECT_EQ(++writers, 1);
            EXPECT_EQ(readers, 0);
            ++written;
            ++counted;
            --writers;
            m.unlock();
        }
    });
    EXPECT_EQ(written, counted);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

}  // namespace
