// Fibers of several hubs and plain threads at one primitive.
#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

#ifdef __SANITIZE_THREAD__
constexpr int rounds = 2'000;
#else
constexpr int rounds = 20'000;
#endif

bool hub_runs() { return coir::detail::hub_core::of_this_thread() != nullptr; }

/// Runs both, one of them in a thread: plain, or as a fiber of a hub of its own.
enum class as { plain_thread, fiber };
template <class There, class Here>
void both(as what, There there, Here here) {
    std::thread thread([&] { what == as::fiber ? coir::spawn(there).get() : there(); });
    here();
    thread.join();
}

/// A number that is guarded by nothing but what is tested is passed to and fro: TSan sees what was not ordered.
template <class Wait, class Wake>
void ping_pong(Wait wait, Wake wake) {
    for (const as what : {as::plain_thread, as::fiber}) {
        long ball = 0;
        const auto play = [&](int me) {
            for (int i = 0; i < rounds / 4; ++i) {
                wait(me);
                ++ball;
                wake(1 - me);
            }
        };
        wake(0);
        both(
            what, [&] { play(1); }, [&] { play(0); });
        wait(0);
        EXPECT_EQ(ball, rounds / 4 * 2);
    }
}

COIR_TEST(threads, play_ping_pong_by_semaphores) {
    coir::semaphore turn[2];
    ping_pong([&](int me) { turn[me].acquire(); }, [&](int other) { turn[other].release(); });
}

COIR_TEST(threads, play_ping_pong_by_channels) {
    for (const std::size_t capacity : {0u, 1u}) {
        coir::channel<int> turn[2] = {coir::channel<int>(capacity), coir::channel<int>(capacity)};
        for (const as what : {as::plain_thread, as::fiber}) {
            int last = 0;
            const auto there = [&] {
                for (int i = 0; i < rounds / 4; ++i) turn[0].send(*turn[1].recv() + 1);
            };
            const auto here = [&] {
                for (int i = 0; i < rounds / 4; ++i) {
                    turn[1].send(last + 1);
                    last = *turn[0].recv();
                }
            };
            both(what, there, here);
            EXPECT_EQ(last, rounds / 4 * 2);
        }
    }
}

COIR_TEST(threads, play_ping_pong_by_events) {
    coir::event turn[2];
    ping_pong(
        [&](int me) {
            turn[me].wait();
            turn[me].clear();
        },
        [&](int other) { turn[other].set(); });
}

COIR_TEST(threads, play_ping_pong_by_a_condition_variable) {
    coir::mutex m;
    coir::condition_variable changed;
    int turn = -1;
    ping_pong(
        [&](int me) {
            std::unique_lock lock(m);
            changed.wait(lock, [&] { return turn == me; });
        },
        [&](int other) {
            {
                const std::lock_guard guard(m);
                turn = other;
            }
            changed.notify_all();
        });
}

COIR_TEST(threads, play_ping_pong_by_select) {
    coir::channel<int> to[2], never;
    for (const as what : {as::plain_thread, as::fiber}) {
        int seen = 0;
        both(
            what,
            [&] {
                for (int i = 0; i < rounds / 4; ++i) {
                    coir::select(coir::on_recv(never, [](auto) {}), coir::on_recv(to[1], [](auto) {}));
                    coir::select(coir::on_send(to[0], i), coir::on_timeout(1h), coir::on_recv(never, [](auto) {}));
                }
            },
            [&] {
                for (int i = 0; i < rounds / 4; ++i) {
                    coir::select(coir::on_send(to[1], i), coir::on_recv(never, [](auto) {}));
                    coir::select(coir::on_recv(to[0], [&](auto v) { seen += v == i; }));
                }
            });
        EXPECT_EQ(seen, rounds / 4);
    }
}

/// The loops of both hubs are idle, or the plain thread asleep, when the wake comes.
COIR_TEST(threads, an_idle_hub_is_woken_by_a_plain_thread_and_the_other_way_round) {
    for (int i = 0; i < rounds / 40; ++i) {
        coir::event there, back, plain;
        std::thread hub_thread([&] {
            coir::spawn([&] {
                there.wait();
                plain.set();
            }).get();
        });
        std::thread plain_thread([&] {
            plain.wait();
            back.set();
        });
        auto t = coir::spawn([&] { back.wait(); });
        if (i % 2) yield();
        there.set();
        t.get();
        hub_thread.join();
        plain_thread.join();
    }
}

COIR_TEST(threads, a_plain_thread_waits_with_limits_that_are_never_early) {
    std::thread([] {
        const auto expect_limit = [](auto wait) {
            const auto begin = std::chrono::steady_clock::now();
            EXPECT_FALSE(wait());
            EXPECT_GE(std::chrono::steady_clock::now() - begin, 2ms);
        };
        coir::event e;
        coir::semaphore s;
        coir::latch l(1);
        coir::barrier b(2);
        coir::mutex m;
        coir::shared_mutex w;
        coir::channel<int> c;
        coir::condition_variable changed;
        coir::event are_held, release;
        std::thread holder([&] {
            const std::lock_guard guard(m);
            const std::lock_guard also(w);
            are_held.set();
            release.wait();
        });
        are_held.wait();
        expect_limit([&] { return e.wait_for(2ms); });
        expect_limit([&] { return s.try_acquire_for(2ms); });
        expect_limit([&] { return l.wait_for(2ms); });
        expect_limit([&] { return b.wait_for(b.arrive(), 2ms); });
        expect_limit([&] { return m.try_lock_for(2ms); });
        expect_limit([&] { return w.try_lock_for(2ms); });
        expect_limit([&] { return w.try_lock_shared_for(2ms); });
        expect_limit([&] { return c.recv_for(2ms).has_value(); });
        expect_limit([&] { return c.send_for(1, 2ms); });
        expect_limit([&] { return coir::select(coir::on_timeout(2ms), coir::on_recv(c, [](auto) {})) == 1; });
        coir::mutex mine;
        std::unique_lock lock(mine);
        expect_limit([&] { return changed.wait_for(lock, 2ms) == std::cv_status::no_timeout; });
        EXPECT_FALSE(hub_runs()) << "none of these makes a hub";
        release.set();
        holder.join();
        s.release();
        EXPECT_TRUE(s.try_acquire_for(1h));
    }).join();
}

/// One that gave up, or was woken, is on no queue any more: what comes late must not end the wait after it.
COIR_TEST(threads, a_late_wake_from_another_thread_ends_no_later_wait) {
    for (const as what : {as::plain_thread, as::fiber}) {
        coir::event ping, never;
        coir::mutex m;
        coir::condition_variable changed;
        std::atomic<bool> stop{false};
        std::vector<std::thread> wakers;
        for (int i = 0; i < 4; ++i) {
            wakers.emplace_back([&] {
                while (!stop) {
                    ping.set();
                    ping.clear();
                    changed.notify_one();
                    std::this_thread::yield();
                }
            });
        }
        const auto wait = [&] {
            for (int i = 0; i < rounds / 10; ++i) {
                (void)ping.wait_for(50us);
                EXPECT_FALSE(never.wait_for(i % 4 ? 0us : 20us));
                std::unique_lock lock(m);
                (void)changed.wait_for(lock, 50us);
                EXPECT_FALSE(never.wait_for(i % 4 ? 0us : 20us));
            }
        };
        both(what, wait, [] {});
        stop = true;
        for (auto& t : wakers) t.join();
    }
}

/// Who has it, and who waits for it: a fiber and a plain thread, in both directions.
COIR_TEST(threads, a_mutex_held_by_one_kind_is_waited_for_by_the_other) {
    coir::mutex m;
    coir::recursive_mutex r;
    coir::shared_mutex s;
    long count = 0;
    const auto add = [&] {
        for (int i = 0; i < rounds / 4; ++i) {
            const std::scoped_lock guard(m);
            const std::lock_guard also(r);
            const std::lock_guard again(r);
            const std::unique_lock write(s);
            ++count;
            if (hub_runs() && i % 16 == 0) yield();
        }
    };
    both(as::plain_thread, add, add);
    both(as::fiber, add, add);
    EXPECT_EQ(count, rounds);
}

/// A fiber and a plain thread wait on one condition; each notification wakes one of them, not both, not none.
COIR_TEST(threads, one_notification_wakes_either_a_thread_or_a_fiber) {
    coir::mutex m;
    coir::condition_variable changed, all_wait;
    int waiting = 0;
    long woken = 0;
    bool stop = false;
    const auto wait = [&] {
        std::unique_lock lock(m);
        while (!stop) {
            ++waiting;
            all_wait.notify_one();
            changed.wait(lock);
            --waiting;
            ++woken;
        }
    };
    std::thread plain(wait), with_hub([&] { coir::spawn(wait).get(); });
    auto here = coir::spawn(wait);
    for (int i = 0; i < rounds; ++i) {
        std::unique_lock lock(m);
        all_wait.wait(lock, [&] { return waiting == 3 && woken >= i; });
        EXPECT_EQ(woken, i) << "one notification has woken two";
        changed.notify_one();
    }
    {
        std::unique_lock lock(m);
        all_wait.wait(lock, [&] { return waiting == 3 && woken >= rounds; });
        stop = true;
        changed.notify_all();
    }
    plain.join();
    with_hub.join();
    here.get();
    EXPECT_EQ(woken, rounds + 3);
}

/// A hub whose fibers take it again and again keeps it from others for a bounded time.
COIR_TEST(threads, a_mutex_that_a_hub_hammers_is_had_by_others) {
    coir::mutex m;
    std::atomic<int> there{0};
    const auto others = [&] {
        for (int i = 0; i < 100; ++i) {
            const std::lock_guard guard(m);
            ++there;
        }
    };
    std::thread plain(others), with_hub([&] { coir::spawn(others).get(); });
    tasks all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(coir::spawn([&] {
            while (there < 200) {
                const std::lock_guard guard(m);
                yield();
            }
        }));
    }
    get_all(all);
    plain.join();
    with_hub.join();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

COIR_TEST(threads, a_writer_is_not_starved_by_readers_of_several_hubs) {
    coir::shared_mutex m;
    std::atomic<bool> has_written{false};
    std::atomic<long> reads{0};
    const auto read = [&] {
        while (!has_written) {
            const std::shared_lock lock(m);
            ++reads;
            if (hub_runs()) yield();
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back(read);
    threads.emplace_back([&] {
        tasks all;
        for (int i = 0; i < 8; ++i) all.push_back(coir::spawn(read));
        get_all(all);
    });
    while (reads < 100) yield();
    for (int i = 0; i < 100; ++i) {
        const std::unique_lock lock(m);
    }
    has_written = true;
    for (auto& t : threads) t.join();
}

COIR_TEST(threads, a_barrier_of_fibers_and_threads_completes_phase_after_phase) {
    constexpr int phases = rounds / 20;
    long arrivals = 0, completed = 0;
    std::atomic<int> inside{0};
    coir::barrier b(4, [&] {
        EXPECT_EQ(inside, 4);
        inside = 0;
        arrivals += 4;
        ++completed;
    });
    const auto take_part = [&] {
        for (int i = 0; i < phases; ++i) {
            ++inside;
            b.arrive_and_wait();
            EXPECT_EQ(arrivals, (i + 1) * 4) << "nobody has completed the next one without this";
        }
    };
    std::thread plain(take_part), with_hub([&] {
        auto t = coir::spawn(take_part);
        auto u = coir::spawn(take_part);
        t.get();
        u.get();
    });
    take_part();
    plain.join();
    with_hub.join();
    EXPECT_EQ(completed, phases);
}

COIR_TEST(threads, a_once_is_called_once_and_a_latch_opens_for_all) {
    for (int i = 0; i < rounds / 40; ++i) {
        coir::once o;
        coir::latch l(4);
        int calls = 0, attempts = 0;
        std::atomic<int> seen{0};
        const auto use = [&] {
            l.arrive_and_wait();
            for (;;) {
                const std::string thrown = thrown_by([&] {
                    o.call([&] {
                        if (++attempts == 1) throw std::runtime_error("broken");
                        if (hub_runs()) yield();
                        ++calls;
                    });
                });
                if (thrown.empty()) break;
            }
            seen += calls;
        };
        std::thread plain(use), with_hub([&] {
            auto t = coir::spawn(use);
            auto u = coir::spawn(use);
            t.get();
            u.get();
        });
        use();
        plain.join();
        with_hub.join();
        EXPECT_EQ(calls, 1);
        EXPECT_EQ(attempts, 2);
        EXPECT_EQ(seen, 4);
    }
}

}  // namespace
