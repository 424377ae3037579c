// The control blocks of fibers that have gone, for the next ones.
#pragma once

#include "fiber/block_slabs.hpp"
#include "fiber/sanitizer.hpp"

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace coir::detail {

/// Keeps free blocks of each size, up to a megabyte in all, so that a task that follows another one costs neither an
/// allocation nor a lock. Not for other threads than its own; but a block may come from any.
class block_cache {
public:
    block_cache() noexcept = default;
    block_cache(const block_cache&) = delete;
    ~block_cache() { clear(); }

    /// Throws std::bad_alloc.
    void* take(std::size_t size) {
        const std::size_t bin = bin_of(size);
        if (bin >= bins) [[unlikely]]
            return ::operator new(size);
        block_slabs::supply& kept = kept_[bin];
        if (!kept.linked) [[unlikely]]
            return take_uncut(kept, bin);
        bytes_ -= size_of(bin);
        return std::exchange(kept.linked, kept.linked->next);
    }

    /// `size` is what it was taken with.
    void give(void* block, std::size_t size) noexcept {
        const std::size_t bin = bin_of(size);
        if (bin >= bins) [[unlikely]]
            return ::operator delete(block);
        block_slabs::supply& kept = kept_[bin];
        kept.linked = new (block) free_block{kept.linked};
        bytes_ += size_of(bin);
        if (bytes_ > most_bytes) [[unlikely]]
            shrink(kept, bin);
    }

    /// Gives the blocks back, but not the rest of slabs that have not been cut yet.
    void clear() noexcept;

    /// How much it keeps.
    std::size_t bytes() const noexcept { return bytes_; }

private:
    static constexpr std::size_t most_bytes = std::size_t{1} << 20;
#if defined(COIR_ASAN) || defined(COIR_TSAN)
    static constexpr std::size_t bins = 0;  // a use after the end is to be seen
#else
    static constexpr std::size_t bins = block_slabs::largest / block_slabs::line;
#endif

    static constexpr std::size_t bin_of(std::size_t size) noexcept { return (size - 1) / block_slabs::line; }
    static constexpr std::size_t size_of(std::size_t bin) noexcept { return (bin + 1) * block_slabs::line; }

    void* take_uncut(block_slabs::supply& kept, std::size_t bin);
    void shrink(block_slabs::supply& kept, std::size_t bin) noexcept;

    std::array<block_slabs::supply, bins> kept_{};
    std::size_t bytes_ = 0;
};

/// The same for threads that have no thread_state.
void* take_shared_block(std::size_t size);
void give_shared_block(void* block, std::size_t size) noexcept;

}  // namespace coir::detail
