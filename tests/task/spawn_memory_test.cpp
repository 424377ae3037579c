// A spawn for which memory runs out half-way leaves nothing behind.
#include <coir/hub.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <cstdlib>
#include <new>
#include <string>

namespace {
thread_local int allocations_until_failure = 0;  // 0: none fails
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
    if (allocations_until_failure != 0 && --allocations_until_failure == 0) throw std::bad_alloc();
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using spawn_memory = task_tests::clean_test;

/// False when the n-th allocation of a spawn fails.
bool spawns_with_failure_at(int n) {
    std::string text(1'000, 'x');
    try {
        allocations_until_failure = n;
        auto t = coir::spawn({.name = "a name that does not fit into a small string"}, [copy = text] { return copy; });
        allocations_until_failure = 0;
        EXPECT_EQ(t.get(), text);
        return true;
    } catch (const std::bad_alloc&) {
        allocations_until_failure = 0;
        return false;
    }
}

TEST_F(spawn_memory, whichever_allocation_fails_nothing_is_left_and_the_next_spawn_works) {
    coir::spawn([] {}).join();
    int failures = 0;
    for (int n = 1; !spawns_with_failure_at(n); ++n) {
        ++failures;
        ASSERT_LT(n, 100);
        EXPECT_EQ(coir::spawn([] { return 7; }).get(), 7);
    }
    EXPECT_GT(failures, 1);
}

}  // namespace
