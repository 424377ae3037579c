// The values that fiber_local objects keep beside a fiber's stack.
#pragma once

#include "fiber/stack_slot.hpp"

namespace coir::detail {

/// Destroys them on the running fiber, youngest first, and those that their destructors make.
void destroy_locals(stack_slot& stack) noexcept;

/// What code has made that ran as a fiber after its own had been destroyed: handlers of its error, destructors.
inline void destroy_late_locals(stack_slot& stack) noexcept {
    if (stack.locals) [[unlikely]]
        destroy_locals(stack);
}

}  // namespace coir::detail
