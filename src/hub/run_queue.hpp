// The fibers that are ready to run, first in, first out, linked through their control blocks.
#pragma once

#include <coir/fiber/detail/fiber_core.hpp>

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
    fiber_core* pop() noexcept {
        fiber_core* fiber = first_;
        if (!fiber) return nullptr;
        first_ = fiber->next_ready;
        if (first_) {
            // By the time of the next switch its control block and frames are in the cache.
            prefetch_frames(*first_);
            __builtin_prefetch(first_->next_ready);
        } else {
            last_link_ = &first_;
        }
        return fiber;
    }

    void clear() noexcept {
        first_ = nullptr;
        last_link_ = &first_;
    }

private:
    fiber_core* first_ = nullptr;
    fiber_core** last_link_ = &first_;
};

}  // namespace coir::detail
