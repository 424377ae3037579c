// The fibers that are ready to run, first in, first out, linked through their control blocks.
#pragma once

#include <coir/fiber/detail/fiber_core.hpp>

#include <cstddef>

namespace coir::detail {

class run_queue {
public:
    bool empty() const noexcept { return first_ == nullptr; }

    void push(fiber_core& fiber) noexcept {
        fiber.next_ready = nullptr;
        *last_link_ = &fiber;
        last_link_ = &fiber.next_ready;
    }

    /// Null when empty.
    fiber_core* pop() noexcept { return first_ ? &pop_first() : nullptr; }

    std::size_t size() const noexcept {
        std::size_t count = 0;
        for (fiber_core* fiber = first_; fiber; fiber = fiber->next_ready) ++count;
        return count;
    }

    /// Makes the one behind `n` others the first. Requires n < size().
    void bring_to_front(std::size_t n) noexcept {
        fiber_core** link = &first_;
        while (n-- > 0) link = &(*link)->next_ready;
        fiber_core* chosen = *link;
        *link = chosen->next_ready;
        if (!*link) last_link_ = link;
        chosen->next_ready = first_;
        first_ = chosen;
        if (!chosen->next_ready) last_link_ = &chosen->next_ready;
    }

    /// Requires that it is on the queue.
    void remove(fiber_core& fiber) noexcept {
        std::size_t place = 0;
        for (fiber_core* other = first_; other != &fiber; other = other->next_ready) ++place;
        bring_to_front(place);
        pop_first();
    }

    template <class Function>
    void for_each(Function function) const {
        for (fiber_core* fiber = first_; fiber; fiber = fiber->next_ready) function(*fiber);
    }

    void clear() noexcept {
        first_ = nullptr;
        last_link_ = &first_;
    }

private:
    fiber_core& pop_first() noexcept {
        fiber_core* fiber = first_;
        first_ = fiber->next_ready;
        if (first_) {
            // By the time of the next switch its control block and frames are in the cache.
            first_->context ? prefetch_frames(*first_) : prefetch_block(*first_);
            __builtin_prefetch(first_->next_ready);
        } else {
            last_link_ = &first_;
        }
        return *fiber;
    }

    fiber_core* first_ = nullptr;
    fiber_core** last_link_ = &first_;
};

}  // namespace coir::detail
