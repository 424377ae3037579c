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

/// When that much is in use already, more will be, and pages that are made together cost an eighth less.
constexpr std::size_t populate_from = 16;

}  // namespace

struct block_slabs::region {
    static constexpr std::size_t bytes = slabs_per_region * slab_bytes;
    slab slabs[slabs_per_region];
};

block_slabs::supply block_slabs::take(std::size_t size) {
    supply found;
    {
        const std::lock_guard guard(lock_);
        if (slab* s = partly_used_[size / line - 1].pop_front()) {
            s->free_count = 0;
            return {.linked = std::exchange(s->free, nullptr)};
        }
        slab* s = take_idle();
        if (s) return cut(*s, size);
        if (bare_.empty()) add_region();
        found = cut(*bare_.pop_front(), size);
        if (in_use_ < populate_from) return found;
    }
    const auto first_page = reinterpret_cast<std::uintptr_t>(found.room) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(found.room_end);
    sys.madvise(reinterpret_cast<void*>(first_page), end - first_page, madv_populate_write);
    return found;
}

void block_slabs::give(free_block* first, std::size_t count) noexcept {
    const std::lock_guard guard(lock_);
    for (; count > 0; --count) {
        free_block* block = std::exchange(first, first->next);
        slab& s = slab_of(block);
        block->next = std::exchange(s.free, block);
        if (++s.free_count == 1) partly_used_[s.size / line - 1].push_back(s);
        if (s.free_count != s.count) continue;
        s.unlink();
        idle_.push_front(s);
        ++idle_count_;
        --in_use_;
    }
}

bool block_slabs::trim(std::size_t& most) noexcept {
    for (; most > 0; --most) {
        lock_.lock();
        slab* s = least_idle_ == 0 ? nullptr : &idle_.back();
        if (s) {
            s->unlink();
            --idle_count_;
            --least_idle_;
        } else {
            least_idle_ = idle_count_;
        }
        lock_.unlock();
        if (!s) break;
        give_pages_back(*s);
        const std::lock_guard guard(lock_);
        bare_.push_front(*s);
    }
    const std::lock_guard guard(lock_);
    return idle_count_ != 0;
}

block_slabs::slab* block_slabs::take_idle() noexcept {
    slab* s = idle_.pop_front();
    if (s) least_idle_ = std::min(least_idle_, --idle_count_);
    return s;
}

/// Blocks of a power of two would begin in the same cache sets in each slab, so slabs differ in where they do.
block_slabs::supply block_slabs::cut(slab& s, std::size_t size) noexcept {
    char* room = room_of(s) + index_of(s) % 4 * line;
    s.size = static_cast<std::uint16_t>(size);
    s.count = static_cast<std::uint16_t>(static_cast<std::size_t>(end_of(s) - room) / size);
    s.free = nullptr;
    s.free_count = 0;
    ++in_use_;
    return {.room = room, .room_end = room + s.count * size};
}

void block_slabs::give_pages_back(slab& s) noexcept {
    sys.madvise(room_of(s), static_cast<std::size_t>(end_of(s) - room_of(s)), MADV_DONTNEED);
}

block_slabs::slab& block_slabs::slab_of(void* block) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(block);
    auto* home = reinterpret_cast<region*>(at / region::bytes * region::bytes);
    return home->slabs[at % region::bytes / slab_bytes];
}

std::size_t block_slabs::index_of(const slab& s) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(&s);
    const auto* home = reinterpret_cast<const region*>(at / region::bytes * region::bytes);
    return static_cast<std::size_t>(&s - home->slabs);
}

char* block_slabs::end_of(const slab& s) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(&s);
    return reinterpret_cast<char*>(at / region::bytes * region::bytes) + (index_of(s) + 1) * slab_bytes;
}

char* block_slabs::room_of(const slab& s) noexcept { return end_of(s) - slab_bytes + (index_of(s) == 0 ? page : 0); }

void block_slabs::add_region() {
    static_assert(sizeof(region) <= page);
    void* memory = sys.mmap(nullptr, 2 * region::bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    const auto at = reinterpret_cast<std::uintptr_t>(memory);
    const auto aligned = (at + region::bytes - 1) / region::bytes * region::bytes;
    if (aligned != at) sys.munmap(memory, aligned - at);
    sys.munmap(reinterpret_cast<void*>(aligned + region::bytes), at + region::bytes - aligned);
    sys.madvise(reinterpret_cast<void*>(aligned), region::bytes, MADV_NOHUGEPAGE);
    auto* added = new (reinterpret_cast<void*>(aligned)) region;
    for (slab& s : added->slabs) bare_.push_back(s);
}

block_slabs& control_block_slabs() noexcept {
    static constinit block_slabs slabs;
    return slabs;
}

}  // namespace coir::detail
