// The stacks of one thread: carved out of slabs, guarded, reused warm first.
#pragma once

#include "fiber/stack_slot.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

namespace coir::detail {

/// One mapping of many stacks.
struct stack_slab {
    char* base = nullptr;
    std::size_t bytes = 0;
    std::unique_ptr<stack_slot[]> slots;
    std::size_t count = 0;
    // While trim() sorts the idle ones:
    stack_slot* idle = nullptr;
    stack_slot* last_idle = nullptr;
    std::size_t idle_count = 0;
};

/// Not for other threads than its own.
///
/// A slab is one mapping of many stacks. Where the kernel has MADV_GUARD_INSTALL (6.13) guards take no mapping of
/// their own and a million stacks fit under the default vm.max_map_count; elsewhere a guard is an mprotect, which
/// costs two mappings a stack. Where neither can be had, acquire throws: there is no unguarded stack.
class stack_pool {
public:
    stack_pool() noexcept = default;
    stack_pool(const stack_pool&) = delete;
    ~stack_pool() { clear(); }

    /// What the stack that acquire() gives now was released with, or null.
    void* left_on(std::size_t size) const noexcept {
        return latest_ && latest_->size == size ? latest_context_ : nullptr;
    }
    /// Throws fiber_error when the memory or the guard cannot be had.
    stack_slot& acquire(std::size_t size) {
        if (!latest_ || latest_->size != size) return acquire_idle(size);
        stack_slot& stack = *std::exchange(latest_, nullptr);
        prepare_stack(stack.sanitizer, stack.low, stack.size);
        return stack;
    }
    /// `context` is where the fiber was left that has ended on it, if its frames still lie there; or null.
    void release(stack_slot& stack, void* context = nullptr) noexcept {
        retire_stack(stack.low, stack.size);
        if (latest_) make_idle(*latest_);
        latest_ = &stack;
        latest_context_ = context;
    }

    /// Gives back the slabs all of whose stacks have lain idle since the last call, but for the first, and the pages of
    /// the other stacks that have. Those that stay are used from the oldest slab on, so that the others fall empty. True
    /// if warm idle ones are left.
    bool trim() noexcept {
        auto all = static_cast<std::size_t>(-1);
        return trim(all);
    }
    /// The same for so many stacks at most, or one slab, counting down. At 0 the next call goes on with those that were
    /// idle for this one.
    bool trim(std::size_t& most) noexcept;
    /// Gives back the pages below the frames of a fiber that does not run; nothing when those are on another stack, to
    /// which something else than coir has switched.
    static void trim_below(const stack_slot& stack, const void* frames) noexcept;

    /// Unmaps the slabs of which no stack is in use. The others stay mapped for ever: they have live frames.
    void clear() noexcept;

    std::size_t in_use() const noexcept { return in_use_ - (latest_ != nullptr); }
    /// Free stacks that still hold pages.
    std::size_t warm_idle() const noexcept { return warm_idle_ + (latest_ != nullptr); }

private:
    struct size_class {
        std::size_t size = 0;
        stack_slot* free = nullptr;  // last in, first out: warm ones first
        std::size_t free_count = 0;
        std::size_t idle_count = 0;   // the least of free_count since the last trim
        std::list<stack_slab> slabs;  // oldest first
    };

    stack_slot& acquire_idle(std::size_t size);
    void make_idle(stack_slot& stack) noexcept;
    void make_latest_idle() noexcept {
        if (latest_) make_idle(*std::exchange(latest_, nullptr));
    }
    size_class& class_of(std::size_t size);
    void add_slab(size_class& c);
    static void install_guards(size_class& c) noexcept;
    void sort_idle(size_class& c) noexcept;
    void unmap_idle(size_class& c, std::size_t& most) noexcept;
    void give_back(stack_slab& s, std::size_t& most) noexcept;
    static void unmap(stack_slab& s) noexcept;

    std::vector<std::unique_ptr<size_class>> classes_;
    size_class* recent_ = nullptr;
    // The last one released, on no list, with all that lies on it: for who starts next, if it is as large.
    stack_slot* latest_ = nullptr;
    void* latest_context_ = nullptr;
    std::size_t in_use_ = 0;  // counting the latest one
    std::size_t warm_idle_ = 0;
};

}  // namespace coir::detail
