// In a program without any hub: the main thread is told when nothing can end its wait. Nothing here may make a hub.
// See sync_deadlock_test.cpp for why TSan cannot have it.
#include <coir/sync.hpp>

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>

namespace {

class plain_deadlock : public testing::Test {
protected:
    void SetUp() override {
#ifdef __SANITIZE_THREAD__
        GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, so no deadlock is certain";
#endif
    }
};

template <class Wait>
void expect_told(const std::string& says, Wait wait) {
    for (int i = 0; i < 2; ++i) {
        try {
            wait();
            ADD_FAILURE() << says;
        } catch (const coir::deadlock& e) {
            const std::string text = e.what();
            EXPECT_NE(text.find("a thread without fibers waits for " + says), std::string::npos) << text;
        }
    }
}

TEST_F(plain_deadlock, of_signals_says_which) {
    coir::event e;
    expect_told("event ", [&] { e.wait(); });
    coir::semaphore s;
    expect_told("permits of semaphore ", [&] { s.acquire(); });
    s.release();
    s.acquire();
    coir::latch l(1);
    expect_told("latch ", [&] { l.wait(); });
    coir::barrier b(3);
    expect_told("barrier ", [&] { b.arrive_and_wait(); });
    coir::mutex m;
    coir::condition_variable c;
    std::unique_lock lock(m);
    expect_told("condition_variable ", [&] { c.wait(lock); });
    EXPECT_TRUE(m.is_mine());
}

TEST_F(plain_deadlock, of_locks_says_which) {
    coir::mutex m;
    coir::shared_mutex s;
    coir::event are_held, release;
    std::thread holder([&] {
        const std::lock_guard guard(m);
        const std::lock_guard also(s);
        are_held.set();
        release.wait();
    });
    are_held.wait();
    expect_told("mutex ", [&] { m.lock(); });
    expect_told("shared_mutex to read ", [&] { s.lock_shared(); });
    expect_told("shared_mutex to write ", [&] { s.lock(); });
    release.set();
    holder.join();
}

TEST_F(plain_deadlock, of_channels_says_which) {
    coir::channel<int> c;
    expect_told("room in channel ", [&] { c.send(1); });
    expect_told("a value in channel ", [&] { (void)c.recv(); });
    expect_told("one of several channels ", [&] { coir::select(coir::on_recv(c, [](auto) {})); });
    EXPECT_FALSE(c.try_send(1));
}

/// Two threads that wait for each other: the main one is told, and can let the other go.
TEST_F(plain_deadlock, of_two_threads_tells_the_main_one) {
    coir::event mine, theirs;
    std::thread other([&] {
        theirs.wait();
        mine.set();
    });
    EXPECT_THROW(mine.wait(), coir::deadlock);
    theirs.set();
    mine.wait();
    other.join();
}

TEST_F(plain_deadlock, is_none_while_a_limit_runs_or_another_thread_works) {
    coir::event e;
    EXPECT_FALSE(e.wait_for(std::chrono::milliseconds(60)));
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        e.set();
    });
    EXPECT_NO_THROW(e.wait());
    other.join();
}

}  // namespace
