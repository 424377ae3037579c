// The memory of control blocks that is used again.
#include <coir/task.hpp>

#include "fiber/block_cache.hpp"
#include "task/leftovers.hpp"
#include "task/process.hpp"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::detail::block_cache;
using blocks = task_tests::clean_test;

#if defined(COIR_ASAN) || defined(COIR_TSAN)
constexpr bool keeps_any = false;
#else
constexpr bool keeps_any = true;
#endif

TEST(block_cache, gives_back_what_was_freed_last_for_the_same_size) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer is to see each use after the end";
    block_cache cache;
    void* a = cache.take(300);
    void* b = cache.take(300);
    void* other = cache.take(100);
    cache.give(a, 300), cache.give(other, 100), cache.give(b, 300);
    EXPECT_EQ(cache.take(300), b);
    EXPECT_EQ(cache.take(300), a);
    EXPECT_EQ(cache.take(100), other);
    cache.give(a, 300), cache.give(b, 300), cache.give(other, 100);
    cache.clear();
}

TEST(block_cache, serves_sizes_that_share_a_bin_with_room_for_each) {
    block_cache cache;
    for (std::size_t size = 8; size < 1200; ++size) {
        void* block = cache.take(size);
        std::memset(block, 1, size);
        cache.give(block, size);
        block = cache.take(size + 1);
        std::memset(block, 2, size + 1);  // the sanitizer's to notice
        cache.give(block, size + 1);
    }
    cache.clear();
}

TEST(block_cache, gives_back_what_was_not_needed_from_one_trim_to_the_next) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer is to see each use after the end";
    block_cache cache;
    const auto use = [&](std::size_t count) {
        std::vector<void*> taken;
        for (std::size_t i = 0; i < count; ++i) taken.push_back(cache.take(256));
        for (void* block : taken) cache.give(block, 256);
    };
    use(1'000);
    const std::size_t all = cache.bytes();
    EXPECT_GE(all, 1'000u * 256);
    cache.trim();
    EXPECT_EQ(cache.bytes(), all) << "they were needed";
    use(10);
    cache.trim();
    EXPECT_EQ(cache.bytes(), 10u * 256);
    cache.trim();
    EXPECT_EQ(cache.bytes(), 0u);
}

TEST(block_cache, keeps_no_more_than_a_megabyte) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer is to see each use after the end";
    block_cache cache;
    std::vector<void*> taken;
    for (int i = 0; i < 5000; ++i) taken.push_back(cache.take(512));
    for (void* block : taken) cache.give(block, 512);
    EXPECT_LE(cache.bytes(), (std::size_t{1} << 20) + 1024);
    EXPECT_GT(cache.bytes(), std::size_t{1} << 19);
    cache.clear();
    EXPECT_EQ(cache.bytes(), 0u);
}

TEST_F(blocks, a_task_follows_another_one_without_an_allocation_of_its_own) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer is to see each use after the end";
    const auto address_of_one = [] {
        auto t = coir::spawn([] {});
        t.join();
        return reinterpret_cast<std::uintptr_t>(&t.core());
    };
    const auto first = address_of_one();
    EXPECT_EQ(address_of_one(), first);
    coir::hub::current().trim();
    EXPECT_EQ(coir::detail::this_thread().blocks.bytes(), 0u);
}

TEST_F(blocks, come_from_one_thread_and_go_on_another) {
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(coir::spawn([i] { return i; }));
    for (auto& t : tasks) t.join();
    std::thread([mine = std::move(tasks)]() mutable { mine.clear(); }).join();
    std::thread([] {
        for (int i = 0; i < 100; ++i) coir::spawn([] {}).join();
    }).join();
}

/// Pages of this process in memory.
std::size_t resident_bytes() {
    std::size_t all = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * 4096;
}

TEST_F(blocks, of_a_peak_are_given_back_whoever_frees_them) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer keeps all for a while";
    const std::size_t before = resident_bytes();
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 200'000; ++i) tasks.push_back(coir::spawn([] {}));
    EXPECT_GT(resident_bytes(), before + (30u << 20));
    for (auto& t : tasks) t.join();
    std::vector<coir::task<void>> half(tasks.begin() + 100'000, tasks.end());
    tasks.resize(100'000);
    std::thread([&] { half.clear(); }).join();
    tasks = {}, half = {};
    while (coir::hub::current().trim()) {
    }
    EXPECT_LT(resident_bytes(), before + (10u << 20));
}

/// Takes, and gives back, more blocks than a thread keeps.
int spawn_many() {
    std::vector<coir::task<int>> tasks;
    for (int i = 0; i < 10'000; ++i) tasks.push_back(coir::spawn([i] { return i % 2; }));
    int ones = 0;
    for (auto& t : tasks) ones += t.get();
    return ones == 5'000 ? 0 : 1;
}

TEST_F(blocks, are_in_order_in_the_child_of_a_fork_while_other_threads_use_them) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer's own allocator does not survive this";
    std::atomic<bool> is_over{false};
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i) {
        others.emplace_back([&] {
            while (!is_over) spawn_many();
        });
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(task_tests::in_child(spawn_many), 0);
    is_over = true;
    for (auto& t : others) t.join();
}

TEST_F(blocks, of_tasks_with_large_alignment_are_aligned) {
    struct alignas(256) wide {
        char byte = 7;
    };
    for (int i = 0; i < 10; ++i) {
        auto t = coir::spawn([w = wide()] { return reinterpret_cast<std::uintptr_t>(&w) % 256 + w.byte; });
        EXPECT_EQ(t.get(), 7u);
    }
}

void peak(std::size_t count, unsigned seed) {
    std::vector<coir::task<void>> tasks;
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(coir::spawn([] {}));
    for (auto& t : tasks) t.join();
    std::shuffle(tasks.begin(), tasks.end(), std::mt19937(seed));
}

TEST_F(blocks, of_a_peak_are_given_back_by_a_busy_hub_in_whatever_order_they_went) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer keeps all for a while";
    const std::size_t before = resident_bytes();
    peak(200'000, 1);
    ::malloc_trim(0);
    const coir::deadline end = coir::deadline::after(30s);
    while (resident_bytes() > before + (10u << 20) && !end.expired()) {
        coir::spawn([] { coir::this_fiber::sleep_for(1ms); }).join();
    }
    EXPECT_FALSE(end.expired());
}

TEST_F(blocks, of_a_thread_that_has_ended_keep_few_pages) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer keeps all for a while";
    const std::size_t before = resident_bytes();
    for (unsigned i = 0; i < 3; ++i) std::thread([i] { peak(200'000, i); }).join();
    ::malloc_trim(0);
    EXPECT_LT(resident_bytes(), before + (20u << 20));
}

std::atomic<bool> a_fork_handler_spawns{false};

TEST_F(blocks, may_be_used_by_the_fork_handlers_of_others) {
    if (!keeps_any) GTEST_SKIP() << "a sanitizer's own allocator does not survive this";
    const auto use_coir = [] {
        if (a_fork_handler_spawns && spawn_many() != 0) ::abort();
    };
    ::pthread_atfork(use_coir, use_coir, use_coir);
    a_fork_handler_spawns = true;
    EXPECT_EQ(task_tests::in_child(spawn_many), 0);
    a_fork_handler_spawns = false;
}

}  // namespace
