#include "fiber/block_cache.hpp"

#include <coir/base/spinlock.hpp>

#include <pthread.h>

#include <mutex>

namespace coir::detail {

namespace {

/// So long the lock of the slabs may be held at a time.
constexpr std::size_t most_at_once = 256;

std::size_t give_some(block_slabs::supply& kept) noexcept {
    free_block* const first = kept.linked;
    std::size_t count = 0;
    for (; kept.linked && count < most_at_once; ++count) kept.linked = kept.linked->next;
    control_block_slabs().give(first, count);
    return count;
}

struct shared_cache {
    spinlock lock;
    block_cache blocks;
};

/// Never destroyed: handles may be dropped until the very end.
shared_cache& shared() {
    static shared_cache& cache = *new shared_cache;
    return cache;
}

void lock_all() noexcept {
    shared().lock.lock();
    control_block_slabs().lock();
}

void unlock_all() noexcept {
    control_block_slabs().unlock();
    shared().lock.unlock();
}

/// Once. The child of a fork is to find all in order.
void watch_forks() { [[maybe_unused]] static const int installed = ::pthread_atfork(lock_all, unlock_all, unlock_all); }

}  // namespace

void* block_cache::take_uncut(block_slabs::supply& kept, std::size_t bin) {
    if (kept.room != kept.room_end) return std::exchange(kept.room, kept.room + size_of(bin));
    watch_forks();
    kept = control_block_slabs().take(size_of(bin));
    for (const free_block* b = kept.linked; b; b = b->next) bytes_ += size_of(bin);
    return take(size_of(bin));
}

void block_cache::shrink(block_slabs::supply& kept, std::size_t bin) noexcept {
    bytes_ -= give_some(kept) * size_of(bin);
}

void block_cache::clear() noexcept {
    for (block_slabs::supply& kept : kept_) {
        while (kept.linked) give_some(kept);
    }
    bytes_ = 0;
}

void* take_shared_block(std::size_t size) {
    const std::lock_guard guard(shared().lock);
    return shared().blocks.take(size);
}

void give_shared_block(void* block, std::size_t size) noexcept {
    const std::lock_guard guard(shared().lock);
    shared().blocks.give(block, size);
}

}  // namespace coir::detail
