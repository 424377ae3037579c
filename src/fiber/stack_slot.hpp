// One stack, and what only a fiber that has one needs: a task that waits to start goes without.
#pragma once

#include "fiber/sanitizer.hpp"

#include <coir/base/error.hpp>
#include <coir/fiber/detail/fiber_core.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>

namespace coir::detail {

class fiber_locals;
struct stack_slab;

/// The request to cancel a task that has started.
struct cancel_request final : interrupt {
    std::exception_ptr to_throw() noexcept override { return std::make_exception_ptr(cancelled{}); }
    fiber_core* cancels() noexcept override { return task; }

    fiber_core* task = nullptr;
};

/// [low, low + size) is usable, the guard page lies below.
struct stack_slot {
    char* low = nullptr;
    std::size_t size = 0;
    std::uint32_t color = 0;
    bool is_guarded = false;         // from its first use on
    bool is_warm = false;            // used since its pages were last given back
    fiber_locals* locals = nullptr;  // of the fiber that has it
    stack_slot* next_free = nullptr;
    stack_slab* home = nullptr;
    cancel_request cancellation;  // of that fiber
    [[no_unique_address]] sanitizer_state sanitizer;

    /// Where the first frame starts. Tops at equal offsets would share their cache sets, so they are spread over
    /// sixteen offsets, all within the top page. From half a line down, what a yield saves in a function with a small
    /// frame lies in two lines, not three.
    char* top() const noexcept { return low + size - 32 - std::size_t{color} * 64; }
};

}  // namespace coir::detail
