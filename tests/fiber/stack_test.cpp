// Stacks: sizes, reuse, failure of the system calls behind them. Guards have stack_overflow_test.cpp.
#include <coir/fiber.hpp>

#include "base/syscall.hpp"
#include "fiber/leftovers.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

using coir::fiber;
using coir::detail::stack_pool;
using coir::detail::stack_slot;
using coir::detail::sys;
using fiber_tests::refusal;
using stacks = fiber_tests::clean_test;

#if defined(COIR_ASAN)
constexpr bool sanitized = true;
#elif defined(COIR_TSAN)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

TEST_F(stacks, absurd_sizes_are_refused) {
    auto of_size = [](std::size_t size) {
        return refusal([&] { fiber({.name = "anna", .stack_size = size}, [] {}); });
    };
    EXPECT_NE(of_size(0).find("anna"), std::string::npos);
    EXPECT_NE(of_size(1), "");
    EXPECT_NE(of_size(coir::min_stack_size - 1), "");
    EXPECT_NE(of_size(coir::max_stack_size + 1), "");
    EXPECT_NE(of_size(SIZE_MAX), "");
    EXPECT_EQ(of_size(coir::min_stack_size), "");
    EXPECT_EQ(of_size(coir::max_stack_size), "");
}

TEST_F(stacks, sizes_are_rounded_up_to_pages) {
    const fiber f({.stack_size = 64 * 1024 + 1}, [] {
        const auto& stack = *coir::detail::current_fiber().stack;
        const auto* const frame = static_cast<const char*>(__builtin_frame_address(0));
        EXPECT_EQ(stack.size, 68u * 1024);
        EXPECT_GE(frame, stack.low);
        EXPECT_LT(frame, stack.low + stack.size);
    });
    f.switch_to();
}

TEST_F(stacks, the_smallest_holds_a_throw_and_a_catch) {
    fiber f({.stack_size = coir::min_stack_size}, [] {
        try {
            throw std::string("small");
        } catch (const std::string& text) {
            return text.size();
        }
    });
    if (sanitized) GTEST_SKIP() << "frames are several times larger under a sanitizer";
    EXPECT_EQ(f.switch_to().as<std::size_t>(), 5u);
}

TEST_F(stacks, the_largest_is_only_address_space) {
    fiber f({.stack_size = coir::max_stack_size}, [] { return 1; });
    EXPECT_EQ(f.switch_to().as<int>(), 1);
}

TEST_F(stacks, one_that_was_just_freed_is_used_first) {
    const void* places[2];
    for (auto& place : places) {
        fiber([&] { place = coir::detail::current_fiber().stack->low; }).switch_to();
    }
    EXPECT_EQ(places[0], places[1]);
}

TEST(stack_pool, counts_reuses_and_separates_sizes) {
    stack_pool pool;
    stack_slot& a = pool.acquire(64 * 1024);
    stack_slot& b = pool.acquire(64 * 1024);
    stack_slot& c = pool.acquire(16 * 1024);
    EXPECT_EQ(pool.in_use(), 3u);
    EXPECT_EQ(c.size, 16u * 1024);
    pool.release(a);
    pool.release(c);
    EXPECT_EQ(&pool.acquire(64 * 1024), &a);
    EXPECT_EQ(&pool.acquire(16 * 1024), &c);
    for (stack_slot* s : {&a, &b, &c}) pool.release(*s);
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST(stack_pool, guards_the_next_stacks_in_the_same_call) {
    static int calls = 0;
    static std::size_t most = 0;
    calls = 0;
    sys.process_madvise = [](const iovec* ranges, size_t count, int advice) {
        ++calls;
        return coir::detail::call_process_madvise(ranges, std::min(count, most), advice);
    };
    for (const std::size_t at_once : {16, 5}) {
        most = at_once;
        calls = 0;
        stack_pool pool;
        std::vector<stack_slot*> taken;
        for (int i = 0; i < 40; ++i) {
            taken.push_back(&pool.acquire(64 * 1024));
            EXPECT_TRUE(taken.back()->is_guarded);
        }
        EXPECT_LE(calls, 40 / static_cast<int>(at_once) + 3);  // slabs come between
        for (stack_slot* s : taken) pool.release(*s);
    }
    sys.process_madvise = coir::detail::call_process_madvise;
}

TEST(stack_pool, tops_are_spread_within_one_page_and_aligned) {
    stack_pool pool;
    std::vector<std::uintptr_t> offsets;
    std::vector<stack_slot*> taken;
    for (int i = 0; i < 64; ++i) {
        taken.push_back(&pool.acquire(64 * 1024));
        const stack_slot& s = *taken.back();
        const auto offset = static_cast<std::uintptr_t>(s.low + s.size - s.top());
        EXPECT_LT(offset, 4096u);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(s.top()) % 16, 0u);
        if (std::find(offsets.begin(), offsets.end(), offset) == offsets.end()) offsets.push_back(offset);
    }
    EXPECT_EQ(offsets.size(), 16u);
    for (stack_slot* s : taken) pool.release(*s);
}

/// How many of a stack's pages are in memory.
std::size_t resident_pages(const stack_slot& s) {
    std::vector<unsigned char> pages(s.size / 4096);
    EXPECT_EQ(::mincore(s.low, s.size, pages.data()), 0);
    return static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](auto p) { return p & 1; }));
}

TEST(stack_pool, trim_gives_back_the_pages_of_those_that_lay_idle) {
    stack_pool pool;
    stack_slot& a = pool.acquire(64 * 1024);
    std::memset(a.low, 1, a.size);
    EXPECT_EQ(resident_pages(a), 16u);
    pool.release(a);
    while (pool.trim()) {
    }
    EXPECT_EQ(resident_pages(a), 0u);
    EXPECT_EQ(&pool.acquire(64 * 1024), &a);
    EXPECT_EQ(a.low[100], 0);
    pool.release(a);
}

TEST(stack_pool, trim_spares_those_in_use) {
    stack_pool pool;
    stack_slot& used = pool.acquire(64 * 1024);
    stack_slot& idle = pool.acquire(64 * 1024);
    std::memset(used.low, 1, used.size);
    std::memset(idle.low, 1, idle.size);
    pool.release(idle);
    while (pool.trim()) {
    }
    EXPECT_EQ(resident_pages(used), 16u);
    EXPECT_EQ(resident_pages(idle), 0u);
    pool.release(used);
}

TEST(stack_pool, trim_unmaps_slabs_that_fell_empty_after_a_peak_and_concentrates_the_rest) {
    stack_pool pool;
    std::vector<stack_slot*> slots;
    for (int i = 0; i < 500; ++i) slots.push_back(&pool.acquire(64 * 1024));
    using coir::detail::stack_slab;
    const auto is_mapped = [](const stack_slab& s) {
        unsigned char resident;
        return ::mincore(s.base, 4096, &resident) == 0;
    };
    stack_slab& first = *slots.front()->home;
    const stack_slab last = {.base = slots.back()->home->base};
    ASSERT_NE(first.base, last.base);
    for (std::size_t i = 0; i < slots.size(); ++i) std::swap(slots[i], slots[(i * 7) % slots.size()]);
    stack_slot* const kept = *std::find_if(slots.begin(), slots.end(), [&](auto* s) { return s->home == &first; });
    for (stack_slot* s : slots) {
        if (s != kept) pool.release(*s);
    }
    EXPECT_EQ(pool.warm_idle(), 499u);
    while (pool.trim()) {
    }
    EXPECT_FALSE(is_mapped(last));
    EXPECT_TRUE(is_mapped(first));
    slots = {kept};
    while (slots.size() < first.count) {
        slots.push_back(&pool.acquire(64 * 1024));
        EXPECT_EQ(slots.back()->home, &first);
    }
    slots.push_back(&pool.acquire(64 * 1024));
    EXPECT_NE(slots.back()->home, &first);
    for (stack_slot* s : slots) pool.release(*s);
}

TEST(stack_pool, a_fiber_that_went_deep_keeps_the_pages_of_its_frames_only) {
    stack_pool pool;
    stack_slot& s = pool.acquire(64 * 1024);
    std::memset(s.low, 1, s.size);
    stack_pool::trim_below(s, s.low + s.size - 5000);
    EXPECT_EQ(resident_pages(s), 2u);
    EXPECT_EQ(s.low[s.size - 5000], 1);
    stack_pool::trim_below(s, s.low + 100);
    EXPECT_EQ(resident_pages(s), 2u);
    stack_slot& other = pool.acquire(64 * 1024);
    std::memset(other.low, 1, other.size);
    stack_pool::trim_below(s, other.low + other.size - 100);
    stack_pool::trim_below(other, s.low + s.size - 100);
    EXPECT_EQ(resident_pages(s), 2u) << "somebody else has switched to another stack, and waits there";
    EXPECT_EQ(resident_pages(other), 16u);
    pool.release(s), pool.release(other);
}

/// Makes the n-th call of a kind fail with ENOMEM, as long as it lives.
class out_of_memory {
public:
    enum class call { mmap, guard, mprotect };
    explicit out_of_memory(call which, int error = ENOMEM) {
        code = error;
        if (which == call::mmap) sys.mmap = [](void*, size_t, int, int, int, off_t) { return fail<void*>(MAP_FAILED); };
        if (which == call::guard) {
            sys.process_madvise = [](const iovec*, size_t, int) { return fail(ssize_t{-1}); };
            sys.madvise = [](void* at, size_t size, int advice) {
                return advice == 102 ? fail(-1) : ::madvise(at, size, advice);
            };
        }
        if (which == call::mprotect) sys.mprotect = [](void*, size_t, int) { return fail(-1); };
    }
    ~out_of_memory() {
        sys.mmap = ::mmap;
        sys.process_madvise = coir::detail::call_process_madvise;
        sys.madvise = ::madvise;
        sys.mprotect = ::mprotect;
    }

private:
    template <class T>
    static T fail(T result) {
        errno = code;
        return result;
    }
    static inline int code = 0;
};

void expect_to_stay_unstarted_and_usable(out_of_memory::call which) {
    const std::size_t before = coir::detail::this_thread().stacks.in_use();
    // A size of its own, so that no stack of it is in the pool.
    fiber f({.name = "anna", .stack_size = (100 + static_cast<std::size_t>(which)) * 4096}, [] { return 6; });
    {
        const out_of_memory now(which);
        for (int i = 0; i < 3; ++i) {
            const std::string text = refusal([&] { f.switch_to(std::make_unique<int>(1)); });
            EXPECT_NE(text.find("vm.max_map_count"), std::string::npos) << text;
        }
        EXPECT_TRUE(!f.started() && !f.dead());
        EXPECT_EQ(coir::detail::this_thread().stacks.in_use(), before);
        EXPECT_TRUE(coir::detail::this_thread().fibers.empty());
    }
    EXPECT_EQ(f.switch_to().as<int>(), 6);
}

TEST_F(stacks, without_memory_a_fiber_stays_unstarted_and_can_be_used_later) {
    expect_to_stay_unstarted_and_usable(out_of_memory::call::mmap);
}

TEST_F(stacks, without_a_guard_a_fiber_stays_unstarted_and_can_be_used_later) {
    expect_to_stay_unstarted_and_usable(out_of_memory::call::guard);
}

TEST_F(stacks, a_fiber_that_fails_to_start_as_a_parent_hands_the_error_on) {
    fiber parent({.stack_size = 300 * 4096}, [] { return 1; });
    fiber child([] { return 2; });
    child.set_parent(parent);
    fiber([] {}).switch_to();  // leaves a stack in the pool for the child
    const out_of_memory now(out_of_memory::call::mmap);
    EXPECT_NE(refusal([&] { child.switch_to(); }), "");
    EXPECT_TRUE(child.dead());
    EXPECT_FALSE(parent.started());
}

std::size_t mappings() {
    std::ifstream maps("/proc/self/maps");
    std::size_t lines = 0;
    for (std::string line; std::getline(maps, line);) ++lines;
    return lines;
}

TEST_F(stacks, a_hundred_thousand_suspended_fibers_are_all_guarded) {
    // ThreadSanitizer has room for some 8000 threads and fibers, and AddressSanitizer a shadow to fill for
    // each.
    constexpr int count = sanitized ? 2000 : 100'000;
    const fiber main = fiber::current();
    std::vector<fiber> fibers;
    fibers.reserve(count);
    int ends = 0;
    for (int i = 0; i < count; ++i) {
        fibers.emplace_back(coir::fiber_options{.stack_size = coir::min_stack_size}, [&] {
            EXPECT_TRUE(coir::detail::current_fiber().stack->is_guarded);
            main.switch_to();
            ++ends;
        });
        fibers.back().switch_to();
    }
    EXPECT_LT(mappings(), 10'000u);
    for (const fiber& f : fibers) f.switch_to();
    EXPECT_EQ(ends, count);
}

// The last one, as this is remembered for the life of the process.
using stacks_of_old_kernels = fiber_tests::clean_test;

TEST_F(stacks_of_old_kernels, are_guarded_one_by_one_or_by_mprotect) {
    sys.process_madvise = [](const iovec*, size_t, int) {
        errno = EBADF;
        return ssize_t{-1};
    };
    EXPECT_EQ(fiber({.stack_size = 201 * 4096}, [] { return 1; }).switch_to().as<int>(), 1);
    sys.process_madvise = coir::detail::call_process_madvise;
    sys.madvise = [](void* at, size_t size, int advice) {
        errno = EINVAL;
        return advice == 102 ? -1 : ::madvise(at, size, advice);
    };
    static int protects = 0;
    sys.mprotect = [](void* at, size_t size, int protection) {
        ++protects;
        return ::mprotect(at, size, protection);
    };
    EXPECT_EQ(fiber({.stack_size = 200 * 4096}, [] { return 1; }).switch_to().as<int>(), 1);
    EXPECT_EQ(protects, 1);
    sys.mprotect = ::mprotect;
    expect_to_stay_unstarted_and_usable(out_of_memory::call::mprotect);
    sys.madvise = ::madvise;
}

}  // namespace
