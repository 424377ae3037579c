// Whoever has been let through last may destroy what let it through, while the other side is still on its way out of
// the call that did it. It is ASan that sees who is late, and elsewhere memory that is used again at once.
#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

constexpr int rounds = 100'000;

/// Again and again: here it is made, and used in another thread; here waited for, and destroyed. The other one is a
/// plain thread in the first half, a fiber of a hub of its own in the second.
template <class T, class Make, class There, class Here>
void destroyed_by_who_is_let_through(Make make, There use_there, Here wait_here) {
    for (const bool has_hub : {false, true}) {
        std::atomic<T*> mailbox{nullptr};
        std::atomic<bool> stop{false};
        const auto work = [&] {
            while (!stop) {
                if (T* object = mailbox.exchange(nullptr)) {
                    use_there(*object);
                } else {
                    std::this_thread::yield();
                }
            }
        };
        std::thread other([&] { has_hub ? coir::spawn(work).get() : work(); });
        for (int i = 0; i < rounds / 2; ++i) {
            std::unique_ptr<T> object = make();
            mailbox = object.get();
            wait_here(*object, i);
        }
        stop = true;
        other.join();
    }
}

COIR_TEST(destroyed_when_let_through, event) {
    destroyed_by_who_is_let_through<coir::event>([] { return std::make_unique<coir::event>(); },
                                                 [](auto& e) { e.set(); },
                                                 [](auto& e, int i) {
                                                     while (i % 2 && !e.is_set()) {
                                                         std::this_thread::yield();
                                                     }
                                                     e.wait();
                                                 });
}

COIR_TEST(destroyed_when_let_through, event_with_tiny_limits) {
    destroyed_by_who_is_let_through<coir::event>([] { return std::make_unique<coir::event>(); },
                                                 [](auto& e) { e.set(); },
                                                 [](auto& e, int) {
                                                     while (!e.wait_for(1us)) {
                                                         std::this_thread::yield();
                                                     }
                                                 });
}

COIR_TEST(destroyed_when_let_through, semaphore) {
    destroyed_by_who_is_let_through<coir::semaphore>([] { return std::make_unique<coir::semaphore>(); },
                                                     [](auto& s) { s.release(2); },
                                                     [](auto& s, int i) {
                                                         i % 2 ? s.acquire(2) : s.acquire();
                                                         while (i % 4 == 0 && !s.try_acquire()) {
                                                             std::this_thread::yield();
                                                         }
                                                     });
}

COIR_TEST(destroyed_when_let_through, latch) {
    destroyed_by_who_is_let_through<coir::latch>([] { return std::make_unique<coir::latch>(1); },
                                                 [](auto& l) { l.count_down(); },
                                                 [](auto& l, int i) {
                                                     while (i % 2 && !l.try_wait()) {
                                                         std::this_thread::yield();
                                                     }
                                                     l.wait();
                                                 });
}

COIR_TEST(destroyed_when_let_through, barrier) {
    destroyed_by_who_is_let_through<coir::barrier>([] { return std::make_unique<coir::barrier>(2); },
                                                   [](auto& b) { (void)b.arrive(); },
                                                   [](auto& b, int) { b.arrive_and_wait(); });
}

COIR_TEST(destroyed_when_let_through, channel) {
    using channel = coir::channel<int>;
    for (const std::size_t capacity : {0u, 1u}) {
        destroyed_by_who_is_let_through<channel>([&] { return std::make_unique<channel>(capacity); },
                                                 [](auto& c) {
                                                     while (!c.try_send(1)) {
                                                         std::this_thread::yield();
                                                     }
                                                 },
                                                 [](auto& c, int) { (void)c.recv(); });
    }
}

COIR_TEST(destroyed_when_let_through, channel_by_its_sender_or_when_it_is_closed) {
    using channel = coir::channel<int>;
    destroyed_by_who_is_let_through<channel>([] { return std::make_unique<channel>(); },
                                             [](auto& c) {
                                                 while (!c.try_recv()) {
                                                     std::this_thread::yield();
                                                 }
                                             },
                                             [](auto& c, int) { c.send(1); });
    destroyed_by_who_is_let_through<channel>([] { return std::make_unique<channel>(); }, [](auto& c) { c.close(); },
                                             [](auto& c, int) { EXPECT_FALSE(c.recv()); });
}

COIR_TEST(destroyed_when_let_through, channels_of_a_select) {
    struct pair {
        coir::channel<int> a{1}, b;
    };
    destroyed_by_who_is_let_through<pair>(
        [] { return std::make_unique<pair>(); }, [](auto& p) { p.a.send(1); },
        [](auto& p, int) { coir::select(coir::on_recv(p.b, [](auto) {}), coir::on_recv(p.a, [](auto) {})); });
}

/// Notified under the lock, which outlives it here.
COIR_TEST(destroyed_when_let_through, condition_variable) {
    coir::mutex m;
    struct state {
        coir::condition_variable changed;
        bool ready = false;
    };
    destroyed_by_who_is_let_through<state>([] { return std::make_unique<state>(); },
                                           [&](auto& s) {
                                               const std::lock_guard guard(m);
                                               s.ready = true;
                                               s.changed.notify_one();
                                           },
                                           [&](auto& s, int) {
                                               std::unique_lock lock(m);
                                               s.changed.wait(lock, [&] { return s.ready; });
                                           });
}

/// Both lock it; the second to do so destroys it, having unlocked: the first may still be on its way out of unlock.
template <class Mutex, class Use>
void destroyed_by_its_last_user(Use use) {
    struct shared {
        Mutex m;
        int users = 2;
    };
    const auto use_once = [&](shared* s) {
        if (use(s->m, s->users)) delete s;
    };
    for (const bool has_hub : {false, true}) {
        std::atomic<shared*> mailbox{nullptr};
        std::atomic<bool> stop{false};
        const auto work = [&] {
            while (!stop) {
                if (shared* s = mailbox.exchange(nullptr)) {
                    use_once(s);
                } else {
                    std::this_thread::yield();
                }
            }
        };
        std::thread other([&] { has_hub ? coir::spawn(work).get() : work(); });
        for (int i = 0; i < rounds / 2; ++i) {
            auto* s = new shared;
            mailbox = s;
            while (mailbox) std::this_thread::yield();  // so that both use it at the same time
            use_once(s);
        }
        stop = true;
        other.join();
    }
}

constexpr auto lock_and_count = [](auto& m, int& users) {
    m.lock();
    const bool is_last = --users == 0;
    m.unlock();
    return is_last;
};

COIR_TEST(destroyed_by_its_last_user, mutex) { destroyed_by_its_last_user<coir::mutex>(lock_and_count); }
COIR_TEST(destroyed_by_its_last_user, recursive_mutex) {
    destroyed_by_its_last_user<coir::recursive_mutex>(lock_and_count);
}
COIR_TEST(destroyed_by_its_last_user, shared_mutex) { destroyed_by_its_last_user<coir::shared_mutex>(lock_and_count); }
COIR_TEST(destroyed_by_its_last_user, mutex_that_is_waited_for_with_limits) {
    destroyed_by_its_last_user<coir::mutex>([](auto& m, int& users) {
        while (!m.try_lock_for(1us)) {
            std::this_thread::yield();
        }
        const bool is_last = --users == 0;
        m.unlock();
        return is_last;
    });
}

/// As the standard allows: once all who wait have been notified, although none has returned from its wait.
COIR_TEST(destroyed_when_all_are_notified, condition_variable) {
    virtual_clock clock(virtual_clock::jumps::never);
    coir::mutex m;
    auto changed = std::make_unique<coir::condition_variable>();
    tasks all = line_up(3, [&](int i) {
        std::unique_lock lock(m);
        i == 0 ? changed->wait(lock) : void(changed->wait_for(lock, 1ms));
    });
    changed->notify_all();
    changed.reset();
    clock.advance(1ms);
    run_until_parked();
    all[2].cancel();
    for (auto& t : all) t.join();
}

}  // namespace
