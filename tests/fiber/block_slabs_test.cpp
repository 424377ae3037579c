// The slabs that control blocks are cut from.
#include "fiber/block_slabs.hpp"

#include <coir/testing/fault.hpp>

#include <sys/mman.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using coir::detail::block_slabs;
using coir::detail::free_block;

constexpr std::size_t all = static_cast<std::size_t>(-1);

bool trim(block_slabs& slabs) {
    std::size_t most = all;
    return slabs.trim(most);
}

/// At least so many blocks, written to.
std::vector<char*> take(block_slabs& slabs, std::size_t size, std::size_t count, bool uses_all = false) {
    std::vector<char*> blocks;
    while (blocks.size() < count) {
        block_slabs::supply some = slabs.take(size, uses_all);
        for (; some.linked; some.linked = some.linked->next) blocks.push_back(reinterpret_cast<char*>(some.linked));
        for (; some.room != some.room_end; some.room += size) blocks.push_back(some.room);
    }
    for (char* block : blocks) std::memset(block, 0x5a, size);
    return blocks;
}

void give(block_slabs& slabs, const std::vector<char*>& blocks) {
    free_block* first = nullptr;
    for (char* block : blocks) first = new (block) free_block{first};
    slabs.give(first, blocks.size());
}

std::size_t resident_pages(const std::vector<char*>& blocks) {
    std::vector<std::uintptr_t> pages;
    for (const char* block : blocks) pages.push_back(reinterpret_cast<std::uintptr_t>(block) / 4096);
    std::sort(pages.begin(), pages.end());
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
    return static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](std::uintptr_t page) {
        unsigned char is_there = 0;
        ::mincore(reinterpret_cast<void*>(page * 4096), 4096, &is_there);
        return is_there & 1;
    }));
}

TEST(block_slabs, blocks_begin_with_a_cache_line_and_do_not_overlap) {
    block_slabs slabs;
    for (std::size_t size = 64; size <= block_slabs::largest; size += 64) {
        std::vector<char*> blocks = take(slabs, size, 3000);
        std::sort(blocks.begin(), blocks.end());
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            ASSERT_EQ(reinterpret_cast<std::uintptr_t>(blocks[i]) % block_slabs::line, 0u);
            if (i > 0) {
                ASSERT_LE(blocks[i - 1] + size, blocks[i]);
            }
        }
        give(slabs, blocks);
    }
}

TEST(block_slabs, what_is_given_is_taken_again_also_for_another_size) {
    block_slabs slabs;
    std::vector<char*> once = take(slabs, 256, 10'000);
    give(slabs, once);
    std::vector<char*> again = take(slabs, 320, 5'000);
    const auto [low, high] = std::minmax_element(once.begin(), once.end());
    for (const char* block : again) ASSERT_TRUE(*low - 4096 <= block && block <= *high + 65536);
    give(slabs, again);
}

TEST(block_slabs, pages_go_when_they_have_lain_idle_from_one_trim_to_the_next) {
    block_slabs slabs;
    const std::vector<char*> blocks = take(slabs, 256, 10'000);
    EXPECT_FALSE(trim(slabs)) << "all are in use";
    give(slabs, blocks);
    const std::size_t pages = resident_pages(blocks);
    EXPECT_GT(pages, 600u);
    EXPECT_TRUE(trim(slabs));
    EXPECT_EQ(resident_pages(blocks), pages) << "they have not lain idle for long enough";
    EXPECT_FALSE(trim(slabs));
    EXPECT_EQ(resident_pages(blocks), 0u);
    give(slabs, take(slabs, 256, 10'000));  // as good as new
}

TEST(block_slabs, a_block_in_use_keeps_its_slab_only) {
    block_slabs slabs;
    std::vector<char*> blocks = take(slabs, 256, 10'000);
    char* const kept = blocks[5'000];
    blocks.erase(blocks.begin() + 5'000);
    give(slabs, blocks);
    trim(slabs), trim(slabs);
    EXPECT_LE(resident_pages(blocks), 16u);
    EXPECT_EQ(kept[255], 0x5a);
    give(slabs, {kept});
    trim(slabs), trim(slabs);
    EXPECT_EQ(resident_pages(blocks), 0u);
}

TEST(block_slabs, those_used_between_two_trims_stay) {
    block_slabs slabs;
    const std::vector<char*> many = take(slabs, 256, 10'000);
    give(slabs, many);
    trim(slabs);
    const std::vector<char*> few = take(slabs, 256, 1'000);
    give(slabs, few);
    EXPECT_TRUE(trim(slabs));
    EXPECT_GE(resident_pages(few), 60u);
    EXPECT_LE(resident_pages(many), 80u);
}

TEST(block_slabs, trim_goes_in_steps) {
    block_slabs slabs;
    give(slabs, take(slabs, 256, 10'000));
    trim(slabs);
    for (int step = 0; step < 10; ++step) {
        std::size_t most = 2;
        EXPECT_TRUE(slabs.trim(most));
        EXPECT_EQ(most, 0u);
    }
    EXPECT_FALSE(trim(slabs));
}

TEST(block_slabs, threads_that_take_give_and_trim_at_once_share_no_block) {
    block_slabs slabs;
    const auto play = [&](unsigned seed) {
        std::mt19937 random(seed);
        std::vector<std::pair<char*, std::size_t>> mine;
        for (int round = 0; round < 300; ++round) {
            const std::size_t size = 64 * (1 + random() % 16);
            for (char* block : take(slabs, size, 1)) {
                std::memset(block, static_cast<int>(seed), size);
                mine.emplace_back(block, size);
            }
            std::shuffle(mine.begin(), mine.end(), random);
            for (std::size_t n = random() % (mine.size() + 1); n > 0; --n) {
                const auto [block, size_of_it] = mine.back();
                mine.pop_back();
                ASSERT_TRUE(
                    std::all_of(block, block + size_of_it, [&](char c) { return c == static_cast<char>(seed); }));
                give(slabs, {block});
            }
            if (random() % 8 == 0) trim(slabs);
        }
        for (const auto& [block, size] : mine) give(slabs, {block});
    };
    std::vector<std::thread> threads;
    for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(play, seed);
    for (auto& t : threads) t.join();
    trim(slabs);
    EXPECT_FALSE(trim(slabs)) << "a block is missing";
}

TEST(block_slabs, without_memory_nothing_is_taken_and_later_it_is) {
    block_slabs slabs;
    {
        const coir::testing::fault no_memory(coir::testing::call::mmap, {.error = ENOMEM});
        EXPECT_THROW(slabs.take(256, false), std::bad_alloc);
    }
    give(slabs, take(slabs, 256, 1'000));
}

TEST(block_slabs, pages_that_cannot_be_made_at_once_come_when_they_are_touched) {
    block_slabs slabs;
    const coir::testing::fault old_kernel(coir::testing::call::madvise, {.error = EINVAL, .times = 1'000});
    const std::vector<char*> blocks = take(slabs, 256, 10'000, true);
    EXPECT_GT(old_kernel.failed(), 10u);
    give(slabs, blocks);
}

/// Of the mapping that the address lies in: "nh" asks for no huge pages.
std::string mapping_flags(const void* inside) {
    const auto address = reinterpret_cast<std::uintptr_t>(inside);
    std::ifstream smaps("/proc/self/smaps");
    bool is_inside = false;
    for (std::string line; std::getline(smaps, line);) {
        std::uintptr_t low = 0, high = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &low, &high) == 2) is_inside = low <= address && address < high;
        if (is_inside && line.starts_with("VmFlags:")) return line + ' ';
    }
    return {};
}

TEST(block_slabs, there_are_no_huge_pages_that_would_keep_what_is_given_back) {
    if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) GTEST_SKIP() << "a kernel without them";
    block_slabs slabs;
    const auto blocks = take(slabs, 512, 70 * block_slabs::slab_bytes / 512);
    EXPECT_NE(mapping_flags(blocks.front()).find(" nh "), std::string::npos);
    EXPECT_NE(mapping_flags(blocks.back()).find(" nh "), std::string::npos);
    give(slabs, blocks);
}

TEST(block_slabs, so_many_idle_ones_as_are_asked_for_keep_their_pages) {
    block_slabs slabs;
    const std::vector<char*> blocks = take(slabs, 256, 10'000);
    give(slabs, blocks);
    const std::size_t pages = resident_pages(blocks);
    slabs.keep_idle(4, 1);
    EXPECT_GE(resident_pages(blocks), pages - 16) << "one at once";
    EXPECT_LT(resident_pages(blocks), pages);
    slabs.keep_idle(4, all);
    EXPECT_LE(resident_pages(blocks), 4u * 16);
    EXPECT_GE(resident_pages(blocks), 3u * 15);
}

TEST(block_slabs, room_that_is_given_back_is_cut_later) {
    block_slabs slabs;
    const block_slabs::supply first = slabs.take(256, false);
    slabs.give_room(first.room + 256, first.room_end);
    const block_slabs::supply second = slabs.take(256, false);
    EXPECT_EQ(second.room, first.room + 256);
    EXPECT_EQ(second.room_end, first.room_end);
    slabs.give_room(second.room, second.room_end);
    give(slabs, {first.room});
    EXPECT_TRUE(trim(slabs)) << "the slab is idle";
    EXPECT_FALSE(trim(slabs));
}

TEST(block_slabs, of_all_who_look_after_them_one_does_it_in_each_span) {
    block_slabs slabs;
    EXPECT_TRUE(slabs.is_due(1'000, 100));
    EXPECT_FALSE(slabs.is_due(1'000, 100));
    EXPECT_FALSE(slabs.is_due(1'099, 100));
    EXPECT_TRUE(slabs.is_due(1'100, 100));
    EXPECT_FALSE(slabs.is_due(1'101, 100));
    EXPECT_TRUE(slabs.is_due(10, 100)) << "a clock that has been put back does not stop it";
}

}  // namespace
