// Where the memory of control blocks comes from, and goes back to: slabs, each cut into blocks of one size.
#pragma once

#include <coir/base/intrusive_list.hpp>
#include <coir/base/spinlock.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace coir::detail {

/// Memory that nobody uses, and the way to the next of its size.
struct free_block {
    free_block* next = nullptr;
};

/// For all threads, which take and give many blocks at a time. The address space stays for ever, for later blocks; the
/// pages of a slab can be given back when none of its blocks is in use, whichever threads have given them.
class block_slabs {
public:
    /// Sizes are whole cache lines: what a switch touches of a block lies in one.
    static constexpr std::size_t line = 64;
    static constexpr std::size_t largest = 1024;
    static constexpr std::size_t slab_bytes = std::size_t{64} << 10;

    /// Blocks of one size: linked ones, or the room for some, of which nothing has been touched.
    struct supply {
        free_block* linked = nullptr;
        char* room = nullptr;
        char* room_end = nullptr;
    };

    constexpr block_slabs() noexcept = default;
    block_slabs(const block_slabs&) = delete;

    /// `size` is a multiple of `line`. Throws std::bad_alloc.
    supply take(std::size_t size);
    /// So many, of one size.
    void give(free_block* first, std::size_t count) noexcept;

    /// Gives back the pages of slabs that have lain idle since the last call; `most` counts them down. True if idle ones
    /// are left that have pages.
    bool trim(std::size_t& most) noexcept;

    /// Around a fork, so that the child finds all in order.
    void lock() noexcept { lock_.lock(); }
    void unlock() noexcept { lock_.unlock(); }

private:
    static constexpr std::size_t slabs_per_region = 64;

    /// Is on one of the lists below while there is something to take from it.
    struct slab : list_hook {
        free_block* free = nullptr;
        std::uint16_t free_count = 0;
        std::uint16_t count = 0;  // of blocks
        std::uint16_t size = 0;   // of a block
    };
    using slab_list = intrusive_list<slab>;

    /// One mapping, aligned to its size, so that a block's address leads to its slab. The first slab has a page less.
    struct region;

    static slab& slab_of(void* block) noexcept;
    static std::size_t index_of(const slab& s) noexcept;
    static char* room_of(const slab& s) noexcept;
    static char* end_of(const slab& s) noexcept;
    void add_region();
    supply cut(slab& s, std::size_t size) noexcept;
    slab* take_idle() noexcept;
    static void give_pages_back(slab& s) noexcept;

    spinlock lock_;
    std::array<slab_list, largest / line> partly_used_;  // by size
    slab_list idle_;                                     // all of whose blocks are free; the last used first
    slab_list bare_;                                     // the same, and without pages
    std::size_t idle_count_ = 0;
    std::size_t least_idle_ = 0;  // since the last trim
    std::size_t in_use_ = 0;
};

/// Never destroyed.
block_slabs& control_block_slabs() noexcept;

}  // namespace coir::detail
