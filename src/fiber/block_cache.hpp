// The control blocks of fibers that have gone, for the next ones.
#pragma once

#include "fiber/sanitizer.hpp"

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace coir::detail {

/// Keeps freed blocks of each size, up to a megabyte in all, so that a task that follows another one costs no
/// allocation. Not for other threads than its own; but a block may come from any.
class block_cache {
public:
    block_cache() noexcept = default;
    block_cache(const block_cache&) = delete;
    ~block_cache() { clear(); }

    /// One that give() will take. Throws std::bad_alloc.
    static void* fresh(std::size_t size) { return ::operator new(room_of(bin_of(size))); }

    /// The same, if there is none.
    void* take(std::size_t size) {
        const std::size_t bin = bin_of(size);
        if (bin >= bins || !free_[bin]) return fresh(size);
        bytes_ -= room_of(bin);
        return std::exchange(free_[bin], free_[bin]->next);
    }

    /// `size` is what it was taken with.
    void give(void* block, std::size_t size) noexcept {
        const std::size_t bin = bin_of(size);
        if (bin >= bins || bytes_ >= most_bytes) return ::operator delete(block);
        bytes_ += room_of(bin);
        free_[bin] = new (block) free_block{free_[bin]};
    }

    void clear() noexcept {
        for (free_block*& first : free_) {
            while (first) ::operator delete(std::exchange(first, first->next));
        }
        bytes_ = 0;
    }

    /// How much it keeps.
    std::size_t bytes() const noexcept { return bytes_; }

private:
    struct free_block {
        free_block* next;
    };

    static constexpr std::size_t step = 16;
    static constexpr std::size_t most_bytes = std::size_t{1} << 20;
#if defined(COIR_ASAN) || defined(COIR_TSAN)
    static constexpr std::size_t bins = 0;  // a use after the end is to be seen
#else
    static constexpr std::size_t bins = 64;
#endif

    // The sizes of which glibc's allocator wastes nothing.
    static constexpr std::size_t bin_of(std::size_t size) noexcept { return (size + step / 2 - 1) / step; }
    static constexpr std::size_t room_of(std::size_t bin) noexcept { return bin * step + step / 2; }

    std::array<free_block*, bins> free_{};
    std::size_t bytes_ = 0;
};

}  // namespace coir::detail
