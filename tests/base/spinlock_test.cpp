#include <coir/base/spinlock.hpp>

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace {

using coir::detail::spinlock;

TEST(spinlock, excludes) {
    spinlock lock;
    EXPECT_TRUE(lock.try_lock());
    EXPECT_FALSE(lock.try_lock());
    lock.unlock();
    const std::lock_guard guard(lock);
    EXPECT_FALSE(lock.try_lock());
}

TEST(spinlock, reset_frees_it_whoever_holds_it) {
    spinlock lock;
    lock.lock();
    lock.reset();
    EXPECT_TRUE(lock.try_lock());
}

TEST(spinlock, guards_plain_data_against_other_threads) {
    constexpr int threads = 4, rounds = 20'000;
    spinlock lock;
    long count = 0;
    {
        std::vector<std::jthread> crowd;
        for (int t = 0; t < threads; ++t) {
            crowd.emplace_back([&] {
                for (int i = 0; i < rounds; ++i) {
                    const std::lock_guard guard(lock);
                    ++count;
                }
            });
        }
    }
    EXPECT_EQ(count, long{threads} * rounds);
}

}  // namespace
