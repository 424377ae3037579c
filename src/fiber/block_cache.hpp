// The control blocks of fibers that have gone, for the next ones.
#pragma once

#include "fiber/block_slabs.hpp"
#include "fiber/sanitizer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace coir::detail {

/// Keeps free blocks, up to a megabyte of each size, so that a task that follows another one costs neither an allocation
/// nor a lock. Not for other threads than its own; but a block may come from any. To be cleared by its owner.
class block_cache {
public:
    constexpr block_cache() noexcept = default;
    block_cache(const block_cache&) = delete;

    /// Throws std::bad_alloc.
    void* take(std::size_t size) {
        const std::size_t bin = bin_of(size);
        if (bin >= bins) [[unlikely]]
            return ::operator new(size);
        kept_blocks& kept = kept_[bin];
        if (!kept.linked) [[unlikely]]
            return take_uncut(kept, size_of(bin));
        kept.bytes -= size_of(bin);
        kept.least = std::min(kept.least, kept.bytes);
        return std::exchange(kept.linked, kept.linked->next);
    }

    /// `size` is what it was taken with.
    void give(void* block, std::size_t size) noexcept {
        const std::size_t bin = bin_of(size);
        if (bin >= bins) [[unlikely]]
            return ::operator delete(block);
        kept_blocks& kept = kept_[bin];
        kept.linked = new (block) free_block{kept.linked};
        kept.bytes += size_of(bin);
        if (kept.bytes > most_bytes) [[unlikely]]
            shrink(kept, size_of(bin));
    }

    /// Gives back to the slabs what nobody has needed since the last call.
    void trim() noexcept;
    /// Gives all back.
    void clear() noexcept;

    /// How much it keeps.
    std::size_t bytes() const noexcept;

    /// The thread has a hub, which trims the slabs.
    bool has_trimmer = false;

private:
    struct kept_blocks {
        free_block* linked = nullptr;
        std::uint32_t bytes = 0;
        std::uint32_t least = 0;  // of `bytes`, since the last trim
        char* room = nullptr;     // not cut yet
        char* room_end = nullptr;
    };

    static constexpr std::uint32_t most_bytes = std::uint32_t{1} << 20;
#if defined(COIR_ASAN) || defined(COIR_TSAN)
    static constexpr std::size_t bins = 0;  // a use after the end is to be seen
#else
    static constexpr std::size_t bins = block_slabs::largest / block_slabs::line;
#endif

    static constexpr std::size_t bin_of(std::size_t size) noexcept { return (size - 1) / block_slabs::line; }
    static constexpr std::uint32_t size_of(std::size_t bin) noexcept {
        return static_cast<std::uint32_t>((bin + 1) * block_slabs::line);
    }

    void* take_uncut(kept_blocks& kept, std::uint32_t size);
    void shrink(kept_blocks& kept, std::uint32_t size) noexcept;
    static void give_all_back(kept_blocks& kept, std::uint32_t size) noexcept;
    static void give_least_back(kept_blocks& kept, std::uint32_t size) noexcept;

    std::array<kept_blocks, bins> kept_{};
};

/// The same for threads that have no thread_state.
void* take_shared_block(std::size_t size);
void give_shared_block(void* block, std::size_t size) noexcept;

}  // namespace coir::detail
