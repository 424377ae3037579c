// Where the memory of control blocks comes from, and goes back to: slabs, each cut into blocks of one size.
#pragma once

#include <coir/base/intrusive_list.hpp>
#include <coir/base/spinlock.hpp>

#include <array>
#include <atomic>
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
    /// Sizes are whole cache lines: what a switch touches of a block lies in the first.
    static constexpr std::size_t line = 64;
    static constexpr std::size_t largest = 1024;
    static constexpr std::size_t slab_bytes = std::size_t{64} << 10;
    /// So many idle ones keep their pages where no hub trims.
    static constexpr std::size_t most_untrimmed = 64;

    /// Free blocks of one slab: linked ones, and the room for some that have not been cut, of which nothing has been
    /// touched.
    struct supply {
        free_block* linked = nullptr;
        std::uint32_t linked_count = 0;
        char* room = nullptr;
        char* room_end = nullptr;
    };

    constexpr block_slabs() noexcept = default;
    block_slabs(const block_slabs&) = delete;

    /// `size` is a multiple of `line`. Makes the pages of fresh room in one call if all of it will be used. Throws
    /// std::bad_alloc.
    supply take(std::size_t size, bool uses_all);
    /// The first so many, all of one size. Returns the next one.
    free_block* give(free_block* first, std::size_t count) noexcept;
    /// What is left of a supply.
    void give_room(char* room, char* room_end) noexcept;

    /// Gives back the pages of slabs that have lain idle since the last call; `most` counts them down. True if idle ones
    /// are left that have pages.
    bool trim(std::size_t& most) noexcept;
    /// The same for the oldest idle ones, until `most` are left, but for no more than `at_once` of them.
    void keep_idle(std::size_t most, std::size_t at_once) noexcept;

    /// Whether whoever asks is to trim, now and once: the first that comes after `span` (nanoseconds) has gone by since
    /// the last one. So many hubs look after them, and the time from one look to the next is the same.
    bool is_due(std::int64_t now, std::int64_t span) noexcept;

    /// Around a fork, so that the child finds all in order.
    void lock() noexcept { lock_.lock(); }
    void unlock() noexcept { lock_.unlock(); }

private:
    static constexpr std::size_t slabs_per_region = 64;

    /// Is on one of the lists below while there is something to take from it.
    struct slab : list_hook {
        free_block* free = nullptr;
        std::uint16_t free_count = 0;
        std::uint16_t uncut = 0;  // blocks that have not been cut yet, at the end
        std::uint16_t count = 0;  // of all blocks
        std::uint16_t size = 0;   // of a block
    };
    using slab_list = intrusive_list<slab>;

    /// One mapping, aligned to its size, so that a block's address leads to its slab. The first slab has a page less.
    struct region;

    static slab& slab_of(void* block) noexcept;
    static std::size_t index_of(const slab& s) noexcept;
    static char* room_of(const slab& s) noexcept;
    static char* first_block_of(const slab& s) noexcept;
    static char* end_of(const slab& s) noexcept;
    static void divide(slab& s, std::size_t size) noexcept;
    static supply empty(slab& s) noexcept;
    slab* find(std::size_t size, bool& is_bare) noexcept;
    slab_list& partly_used(const slab& s) noexcept { return partly_used_[s.size / line - 1]; }
    void enlist(slab& s) noexcept;
    slab& pop_oldest_idle() noexcept;
    void make_bare(slab& s) noexcept;
    void add_region();

    spinlock lock_;
    std::array<slab_list, largest / line> partly_used_;  // by size
    slab_list idle_;                                     // all of whose blocks are free; the last used first
    slab_list bare_;                                     // the same, and without pages
    std::size_t idle_count_ = 0;
    std::size_t least_idle_ = 0;  // since the last trim
    std::atomic<std::int64_t> next_look_{0};
};

/// Never destroyed.
block_slabs& control_block_slabs() noexcept;

}  // namespace coir::detail
