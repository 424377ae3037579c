// A deadlock is certain only where the kernel counts no thread that coir does not know; under TSan there is always
// one more, so what needs the count is skipped there.
#include "sync/kit.hpp"

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

class sync_deadlock : public task_tests::clean_test {
protected:
    void SetUp() override {
#ifdef __SANITIZE_THREAD__
        GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
#endif
    }
};

/// A task of the name "stuck" waits; what the main fiber is told contains `says`. The task is cancelled then.
template <class Wait>
void expect_told(const std::string& says, Wait wait) {
    auto t = coir::spawn({.name = "stuck"}, wait);
    const std::string text = text_of<coir::deadlock>([&] { t.join(); });
    EXPECT_NE(text.find("\"main\" waits for the end of task \"stuck\""), std::string::npos) << text;
    EXPECT_NE(text.find("\"stuck\" waits for " + says), std::string::npos) << text;
    t.cancel();
    t.join();
}

std::string at(const std::string& what, const void* object) {
    char room[32];
    std::snprintf(room, sizeof room, "%p", object);
    return what + " " + room;
}

TEST_F(sync_deadlock, of_locks_says_which) {
    coir::mutex m;
    m.lock();
    expect_told(at("mutex", &m), [&] { m.lock(); });
    m.unlock();
    coir::recursive_mutex r;
    r.lock();
    expect_told("mutex ", [&] { r.lock(); });
    r.unlock();
    coir::shared_mutex s;
    s.lock();
    expect_told(at("shared_mutex to read", &s), [&] { s.lock_shared(); });
    expect_told(at("shared_mutex to write", &s), [&] { s.lock(); });
    s.unlock();
}

TEST_F(sync_deadlock, of_signals_says_which) {
    coir::mutex m;
    coir::condition_variable c;
    expect_told(at("condition_variable", &c), [&] {
        std::unique_lock lock(m);
        c.wait(lock);
    });
    coir::semaphore s;
    expect_told(at("permits of semaphore", &s), [&] { s.acquire(3); });
    coir::event e;
    expect_told(at("event", &e), [&] { e.wait(); });
    coir::latch l(1);
    expect_told(at("latch", &l), [&] { l.wait(); });
    coir::barrier b(2);
    expect_told(at("barrier", &b), [&] { b.arrive_and_wait(); });
}

TEST_F(sync_deadlock, of_once_says_so) {
    coir::once o;
    coir::event never;
    auto runner = coir::spawn([&] { o.call([&] { never.wait(); }); });
    until_parked(runner);
    expect_told(at("once", &o), [&] { o.call([] {}); });
    runner.cancel();
    runner.join();
}

TEST_F(sync_deadlock, of_channels_says_which) {
    coir::channel<int> c;
    expect_told(at("room in channel", &c), [&] { c.send(1); });
    expect_told(at("a value in channel", &c), [&] { (void)c.recv(); });
    expect_told("one of several channels ", [&] { coir::select(coir::on_recv(c, [](auto) {}), coir::on_send(c, 1)); });
}

TEST_F(sync_deadlock, of_two_that_lock_in_opposite_orders_lists_both) {
    coir::mutex a, b;
    const auto both = [](coir::mutex& first, coir::mutex& second) {
        const std::lock_guard one(first);
        yield();
        const std::lock_guard other(second);
    };
    auto one = coir::spawn({.name = "one"}, [&] { both(a, b); });
    auto other = coir::spawn({.name = "other"}, [&] { both(b, a); });
    const std::string text = text_of<coir::deadlock>([&] { one.join(); });
    EXPECT_NE(text.find("\"one\" waits for " + at("mutex", &b)), std::string::npos) << text;
    EXPECT_NE(text.find("\"other\" waits for " + at("mutex", &a)), std::string::npos) << text;
    one.cancel();
    one.join();
    other.get();
}

/// Thrown in main's own wait, each primitive is as it was.
TEST_F(sync_deadlock, in_the_main_fiber_takes_nothing) {
    coir::semaphore s;
    EXPECT_EQ(thrown_by([&] { s.acquire(); }), "deadlock");
    s.release();
    EXPECT_EQ(s.available(), 1u);
    coir::channel<int> c;
    EXPECT_EQ(thrown_by([&] { (void)c.recv(); }), "deadlock");
    EXPECT_FALSE(c.try_send(1));
    EXPECT_EQ(thrown_by([&] { coir::select(coir::on_recv(c, [](auto) {}), coir::on_send(c, 2)); }), "deadlock");
    EXPECT_EQ(c.try_recv(), std::nullopt);
    coir::mutex m;
    coir::condition_variable changed;
    std::unique_lock lock(m);
    EXPECT_EQ(thrown_by([&] { changed.wait(lock); }), "deadlock");
    EXPECT_TRUE(lock.owns_lock() && m.is_mine());
}

/// A wait that a plain thread has begun in vain counts no more: the thread works, so there is none.
TEST_F(sync_deadlock, after_misuse_in_a_plain_thread_none_is_seen_where_there_is_none) {
    std::atomic<bool> has_erred{false};
    coir::event done;
    std::thread other([&] {
        coir::mutex m;
        coir::condition_variable c;
        std::unique_lock lock(m, std::adopt_lock);  // holds nothing, in truth
        EXPECT_EQ(thrown_by([&] { c.wait(lock); }), "fiber_error");
        lock.release();
        has_erred = true;
        std::this_thread::sleep_for(300ms);
        done.set();
    });
    while (!has_erred) std::this_thread::yield();
    EXPECT_EQ(text_of<coir::deadlock>([&] { done.wait(); }), "");
    other.join();
}

}  // namespace
