#include "fiber/block_cache.hpp"

#include <coir/base/spinlock.hpp>

#include <pthread.h>

#include <mutex>

namespace coir::detail {

namespace {

/// So long the lock of the slabs may be held at a time.
constexpr std::size_t most_at_once = 256;

/// More than fall idle between two calls of shrink(), which may be under the lock of the shared cache.
constexpr std::size_t most_slabs_at_once = 32;

void give_to_slabs(free_block* first, std::size_t count) noexcept {
    while (count > 0) {
        const std::size_t some = std::min(count, most_at_once);
        first = control_block_slabs().give(first, some);
        count -= some;
    }
}

/// Never destroyed: handles may be dropped until the very end.
struct shared_cache {
    spinlock lock;
    block_cache blocks;
};
constinit shared_cache shared;

void lock_all() noexcept {
    shared.lock.lock();
    control_block_slabs().lock();
}

void unlock_all() noexcept {
    control_block_slabs().unlock();
    shared.lock.unlock();
}

/// The child of a fork is to find all in order. Registered before other handlers can be, so that between the two calls
/// none of them runs: they may use coir.
[[gnu::constructor(101)]] void watch_forks() { ::pthread_atfork(lock_all, unlock_all, unlock_all); }

}  // namespace

void* block_cache::take_uncut(kept_blocks& kept, std::uint32_t size) {
    if (kept.room != kept.room_end) return std::exchange(kept.room, kept.room + size);
    const bool has_used_up_one = kept.room_end != nullptr;
    const block_slabs::supply more = control_block_slabs().take(size, has_used_up_one);
    kept.linked = more.linked;
    kept.bytes = more.linked_count * size;
    kept.room = more.room;
    kept.room_end = more.room_end;
    return take(size);
}

void block_cache::shrink(kept_blocks& kept, std::uint32_t size) noexcept {
    kept.linked = control_block_slabs().give(kept.linked, most_at_once);
    kept.bytes -= static_cast<std::uint32_t>(most_at_once) * size;
    kept.least = std::min(kept.least, kept.bytes);
    if (!has_trimmer) control_block_slabs().keep_idle(block_slabs::most_untrimmed, most_slabs_at_once);
}

void block_cache::give_all_back(kept_blocks& kept, std::uint32_t size) noexcept {
    give_to_slabs(kept.linked, kept.bytes / size);
    if (kept.room) control_block_slabs().give_room(kept.room, kept.room_end);
    kept = {};
}

/// The last ones of the list, which is last in, first out.
void block_cache::give_least_back(kept_blocks& kept, std::uint32_t size) noexcept {
    free_block** link = &kept.linked;
    for (std::uint32_t used = kept.bytes - kept.least; used > 0; used -= size) link = &(*link)->next;
    give_to_slabs(std::exchange(*link, nullptr), kept.least / size);
    kept.bytes -= kept.least;
    kept.least = kept.bytes;
}

void block_cache::trim() noexcept {
    for (std::size_t bin = 0; bin < bins; ++bin) {
        kept_blocks& kept = kept_[bin];
        kept.least == kept.bytes ? give_all_back(kept, size_of(bin)) : give_least_back(kept, size_of(bin));
    }
}

void block_cache::clear() noexcept {
    for (std::size_t bin = 0; bin < bins; ++bin) give_all_back(kept_[bin], size_of(bin));
    if (!has_trimmer) control_block_slabs().keep_idle(block_slabs::most_untrimmed, static_cast<std::size_t>(-1));
}

std::size_t block_cache::bytes() const noexcept {
    std::size_t all = 0;
    for (const kept_blocks& kept : kept_) all += kept.bytes;
    return all;
}

void* take_shared_block(std::size_t size) {
    const std::lock_guard guard(shared.lock);
    return shared.blocks.take(size);
}

void give_shared_block(void* block, std::size_t size) noexcept {
    const std::lock_guard guard(shared.lock);
    shared.blocks.give(block, size);
}

}  // namespace coir::detail
