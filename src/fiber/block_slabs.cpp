#include "fiber/block_slabs.hpp"

#include "base/syscall.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t page = 4096;
constexpr int madv_populate_write = 23;  // Linux 5.14; not in the headers of older distributions

std::uintptr_t address_of(const void* p) noexcept { return reinterpret_cast<std::uintptr_t>(p); }
char* at_address(std::uintptr_t address) noexcept { return reinterpret_cast<char*>(address); }

/// Pages that are made together cost an eighth less. A kernel that cannot makes them when they are touched.
void populate(char* room, char* end) noexcept {
    char* first_page = at_address(address_of(room) / page * page);
    sys.madvise(first_page, static_cast<std::size_t>(end - first_page), madv_populate_write);
}

}  // namespace

struct block_slabs::region {
    static constexpr std::size_t bytes = slabs_per_region * slab_bytes;
    static region& of(const void* inside) noexcept {
        return *reinterpret_cast<region*>(address_of(inside) / bytes * bytes);
    }
    slab slabs[slabs_per_region];
};

block_slabs::supply block_slabs::take(std::size_t size, bool uses_all) {
    supply found;
    bool is_bare = false;
    for (slab* s = nullptr; !s; s ? void() : add_region()) {
        const std::lock_guard guard(lock_);
        s = find(size, is_bare);
        if (s) found = empty(*s);
    }
    if (is_bare && uses_all) populate(found.room, found.room_end);
    return found;
}

/// Off all lists. Null when there must be another region first.
block_slabs::slab* block_slabs::find(std::size_t size, bool& is_bare) noexcept {
    is_bare = false;
    if (slab* s = partly_used_[size / line - 1].pop_front()) return s;
    slab* s = idle_.pop_front();
    is_bare = s == nullptr;
    if (s) {
        least_idle_ = std::min(least_idle_, --idle_count_);
    } else {
        s = bare_.pop_front();
    }
    if (s) divide(*s, size);
    return s;
}

void block_slabs::divide(slab& s, std::size_t size) noexcept {
    s.size = static_cast<std::uint16_t>(size);
    s.count = static_cast<std::uint16_t>(static_cast<std::size_t>(end_of(s) - first_block_of(s)) / size);
    s.uncut = s.count;
    s.free = nullptr;
    s.free_count = 0;
}

/// Takes all that is free.
block_slabs::supply block_slabs::empty(slab& s) noexcept {
    char* const end = first_block_of(s) + std::size_t{s.count} * s.size;
    const supply all{.linked = std::exchange(s.free, nullptr),
                     .linked_count = s.free_count,
                     .room = end - std::size_t{s.uncut} * s.size,
                     .room_end = end};
    s.free_count = s.uncut = 0;
    return all;
}

free_block* block_slabs::give(free_block* first, std::size_t count) noexcept {
    const std::lock_guard guard(lock_);
    for (; count > 0; --count) {
        free_block* block = std::exchange(first, first->next);
        slab& s = slab_of(block);
        block->next = std::exchange(s.free, block);
        ++s.free_count;
        enlist(s);
    }
    return first;
}

void block_slabs::give_room(char* room, char* room_end) noexcept {
    if (room == room_end) return;
    const std::lock_guard guard(lock_);
    slab& s = slab_of(room);
    s.uncut = static_cast<std::uint16_t>(static_cast<std::size_t>(room_end - room) / s.size);
    enlist(s);
}

/// Of which something has become free.
void block_slabs::enlist(slab& s) noexcept {
    const bool is_idle = s.free_count + s.uncut == s.count;
    if (!is_idle && s.is_linked()) return;
    if (!is_idle) return partly_used(s).push_back(s);
    if (s.is_linked()) s.unlink();
    idle_.push_front(s);
    ++idle_count_;
}

bool block_slabs::trim(std::size_t& most) noexcept {
    for (; most > 0; --most) {
        slab* s = nullptr;
        {
            const std::lock_guard guard(lock_);
            if (least_idle_ > 0) {
                s = &pop_oldest_idle();
            } else {
                least_idle_ = idle_count_;
            }
        }
        if (!s) break;
        make_bare(*s);
    }
    const std::lock_guard guard(lock_);
    return idle_count_ != 0;
}

void block_slabs::keep_idle(std::size_t most, std::size_t at_once) noexcept {
    for (; at_once > 0; --at_once) {
        slab* s = nullptr;
        {
            const std::lock_guard guard(lock_);
            if (idle_count_ > most) s = &pop_oldest_idle();
        }
        if (!s) return;
        make_bare(*s);
    }
}

block_slabs::slab& block_slabs::pop_oldest_idle() noexcept {
    slab& oldest = idle_.back();
    oldest.unlink();
    --idle_count_;
    if (least_idle_ > 0) --least_idle_;
    return oldest;
}

/// Not under the lock: it takes a while.
void block_slabs::make_bare(slab& s) noexcept {
    sys.madvise(room_of(s), static_cast<std::size_t>(end_of(s) - room_of(s)), MADV_DONTNEED);
    const std::lock_guard guard(lock_);
    bare_.push_front(s);
}

bool block_slabs::is_due(std::int64_t now, std::int64_t span) noexcept {
    std::int64_t due = next_look_.load();
    const bool is_early = now < due && due <= now + span;  // later still: the clock has been put back
    return !is_early && next_look_.compare_exchange_strong(due, now + span);
}

block_slabs::slab& block_slabs::slab_of(void* block) noexcept {
    return region::of(block).slabs[address_of(block) % region::bytes / slab_bytes];
}

std::size_t block_slabs::index_of(const slab& s) noexcept {
    return static_cast<std::size_t>(&s - region::of(&s).slabs);
}

char* block_slabs::end_of(const slab& s) noexcept {
    return reinterpret_cast<char*>(&region::of(&s)) + (index_of(s) + 1) * slab_bytes;
}

char* block_slabs::room_of(const slab& s) noexcept { return end_of(s) - slab_bytes + (index_of(s) == 0 ? page : 0); }

/// Blocks whose size is a power of two would begin in the same cache sets in each slab, so slabs differ in where they do.
char* block_slabs::first_block_of(const slab& s) noexcept { return room_of(s) + index_of(s) % 4 * line; }

void block_slabs::add_region() {
    static_assert(sizeof(region) <= page);
    void* memory = sys.mmap(nullptr, 2 * region::bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    const std::uintptr_t begin = address_of(memory);
    const std::uintptr_t aligned = (begin + region::bytes - 1) / region::bytes * region::bytes;
    if (aligned != begin) sys.munmap(memory, aligned - begin);
    sys.munmap(at_address(aligned + region::bytes), begin + region::bytes - aligned);
    // Huge pages save a tenth at most, are not free before the last of their slabs is, and a virtual machine that has given
    // idle memory back to its host waits milliseconds for each of them.
    sys.madvise(at_address(aligned), region::bytes, MADV_NOHUGEPAGE);
    auto* added = new (at_address(aligned)) region;
    const std::lock_guard guard(lock_);
    for (slab& s : added->slabs) bare_.push_back(s);
}

block_slabs& control_block_slabs() noexcept {
    static constinit block_slabs slabs;
    return slabs;
}

}  // namespace coir::detail
