// Very many who wait for one thing and are woken at once: each once, without recursion, and nothing is left.
#include "sync/kit.hpp"

#include <mutex>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

// AddressSanitizer takes its time for each stack.
#ifdef __SANITIZE_ADDRESS__
constexpr int count = 20'000;
#else
constexpr int count = task_tests::multitude;
#endif

/// They have small stacks; whoever wakes them all has one of the usual size, which a recursion would overflow.
template <class Body>
tasks gather_crowd(int how_many, Body body) {
    tasks all;
    all.reserve(static_cast<std::size_t>(how_many));
    for (int i = 0; i < how_many; ++i) all.push_back(coir::spawn({.stack_size = 16384}, body));
    run_until_parked();
    return all;
}

COIR_TEST_WITH(multitude, two_hundred_thousand_wait_for_an_event, .in_any_order = false) {
    constexpr int how_many = count == 100'000 ? 200'000 : count;
    coir::event e;
    int passed = 0;
    tasks all = gather_crowd(how_many, [&] {
        e.wait();
        ++passed;
    });
    EXPECT_EQ(passed, 0);
    e.set();
    get_all(all);
    EXPECT_EQ(passed, how_many);
}

COIR_TEST_WITH(multitude, hands_a_mutex_round, .in_any_order = false) {
    coir::mutex m;
    m.lock();
    int held = 0;
    tasks all = gather_crowd(count, [&] {
        const std::lock_guard guard(m);
        ++held;
    });
    m.unlock();
    get_all(all);
    EXPECT_EQ(held, count);
}

COIR_TEST_WITH(multitude, is_notified_and_takes_the_lock_in_turn, .in_any_order = false) {
    coir::mutex m;
    coir::condition_variable changed;
    int woken = 0;
    tasks all = gather_crowd(count, [&] {
        std::unique_lock lock(m);
        changed.wait(lock);
        ++woken;
    });
    changed.notify_all();
    get_all(all);
    EXPECT_EQ(woken, count);
}

COIR_TEST_WITH(multitude, is_served_by_one_release, .in_any_order = false) {
    coir::semaphore s;
    tasks all = gather_crowd(count, [&] { s.acquire(); });
    s.release(count);
    get_all(all);
    EXPECT_EQ(s.available(), 0u);
}

COIR_TEST_WITH(multitude, of_readers_enters_together, .in_any_order = false) {
    coir::shared_mutex m;
    m.lock();
    tasks all = gather_crowd(count, [&] { m.lock_shared(); });
    m.unlock();
    get_all(all);
    for (int i = 0; i < count; ++i) m.unlock_shared();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

COIR_TEST_WITH(multitude, of_senders_and_receivers_is_told_of_the_close, .in_any_order = false) {
    coir::channel<int> c;
    int told = 0;
    tasks all = gather_crowd(count, [&] { told += !c.recv(); });
    c.close();
    get_all(all);
    EXPECT_EQ(told, count);
}

COIR_TEST_WITH(multitude, of_selects_on_one_channel_is_told_of_the_close, .in_any_order = false) {
    coir::channel<int> c, other;
    int told = 0;
    tasks all = gather_crowd(count / 2, [&] {
        coir::select(coir::on_recv(c, [&](auto v) { told += !v; }), coir::on_recv(other, [](auto) {}));
    });
    c.close();
    get_all(all);
    EXPECT_EQ(told, count / 2);
}

COIR_TEST_WITH(multitude, is_cancelled_while_it_waits, .in_any_order = false) {
    coir::semaphore s;
    tasks all = gather_crowd(count, [&] { s.acquire(); });
    for (auto& t : all) t.cancel();
    for (auto& t : all) t.join();
    s.release();
    EXPECT_EQ(s.available(), 1u);
}

}  // namespace
