#include "fiber/stack_pool.hpp"

#include "base/syscall.hpp"

#include <coir/base/error.hpp>
#include <coir/fiber/stack.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t guard_size = page;
constexpr int madv_guard_install = 102;  // Linux 6.13; not in the headers of older distributions

std::atomic<bool> guard_install_works{true};
std::atomic<bool> guards_go_in_batches{true};

[[noreturn]] void throw_no_stack(const char* step, std::size_t size) {
    const int error = errno;
    std::string hint = "the machine is out of memory or address space";
    if (error == ENOMEM) hint += ", or the process has reached vm.max_map_count mappings: raise that sysctl";
    throw fiber_error(fmt::format("no stack of {} KiB for a new fiber: {}: {} ({}); or use fewer fibers", size / 1024,
                                  step, std::strerror(error), hint));
}

/// False, with errno, where the guard cannot be had.
bool install_guard(char* at) noexcept {
    if (guard_install_works.load(std::memory_order_relaxed)) {
        if (sys.madvise(at, guard_size, madv_guard_install) == 0) return true;
        // EINVAL: an older kernel, or locked memory (mlockall), where guard markers are refused.
        if (errno != EINVAL) return false;
        guard_install_works.store(false, std::memory_order_relaxed);
    }
    return sys.mprotect(at, guard_size, PROT_NONE) == 0;
}

/// Many small mappings cost more than one large, but a slab of large stacks should not reserve half the world.
std::size_t stacks_per_slab(std::size_t pitch, std::size_t have) noexcept {
    constexpr std::size_t most_bytes = std::size_t{1} << 30;
    return std::clamp<std::size_t>(std::max<std::size_t>(have, 16), 1, std::max<std::size_t>(1, most_bytes / pitch));
}

}  // namespace

stack_slot& stack_pool::acquire_idle(std::size_t size) {
    size_class& c = recent_ && recent_->size == size ? *recent_ : class_of(size);
    if (!c.free) add_slab(c);
    stack_slot& stack = *c.free;
    // Guards are installed when they are first needed: a slab costs nothing before.
    if (!stack.is_guarded) install_guards(c);
    if (!stack.is_guarded) {
        if (!install_guard(stack.low - guard_size)) throw_no_stack("guard page", size);
        stack.is_guarded = true;
    }
    c.free = stack.next_free;
    c.idle_count = std::min(c.idle_count, --c.free_count);
    ++in_use_;
    warm_idle_ -= stack.is_warm;
    stack.is_warm = true;
    prepare_stack(stack.sanitizer, stack.low, stack.size);
    return stack;
}

/// Those of the next stacks in one call, which costs a third less than a call for each. None where the kernel will not.
void stack_pool::install_guards(size_class& c) noexcept {
    if (!guards_go_in_batches.load(std::memory_order_relaxed)) return;
    constexpr std::size_t most = 64, most_bytes = std::size_t{4} << 20;
    iovec guards[most];
    std::size_t count = 0;
    const std::size_t limit = std::clamp<std::size_t>(most_bytes / c.size, 1, most);
    for (stack_slot* s = c.free; s && !s->is_guarded && count < limit; s = s->next_free) {
        guards[count++] = {s->low - guard_size, guard_size};
    }
    const ssize_t bytes = sys.process_madvise(guards, count, madv_guard_install);
    if (bytes < 0 && (errno == EBADF || errno == EINVAL || errno == ENOSYS || errno == EPERM)) {
        guards_go_in_batches.store(false, std::memory_order_relaxed);
    }
    std::size_t done = bytes < 0 ? 0 : static_cast<std::size_t>(bytes) / guard_size;
    for (stack_slot* s = c.free; done > 0; s = s->next_free, --done) s->is_guarded = true;
}

void stack_pool::make_idle(stack_slot& stack) noexcept {
    size_class& c = recent_ && recent_->size == stack.size ? *recent_ : class_of(stack.size);
    stack.next_free = c.free;
    c.free = &stack;
    ++c.free_count;
    --in_use_;
    ++warm_idle_;
}

bool stack_pool::trim(std::size_t& most) noexcept {
    make_latest_idle();
    for (auto& c : classes_) {
        if (c->idle_count == 0) continue;
        sort_idle(*c);
        unmap_idle(*c, most);
        stack_slot** last = &c->free;
        while (*last) last = &(*last)->next_free;
        for (stack_slab& s : c->slabs) {
            give_back(s, most);
            s.idle_count = 0;
            for (*last = std::exchange(s.idle, nullptr); *last;) last = &(*last)->next_free;
        }
    }
    if (most == 0) return true;
    for (auto& c : classes_) c->idle_count = c->free_count;
    return warm_idle_ != 0;
}

/// All of whose stacks are idle, but for the first.
void stack_pool::unmap_idle(size_class& c, std::size_t& most) noexcept {
    for (auto s = std::next(c.slabs.begin()); s != c.slabs.end() && most != 0;) {
        if (s->idle_count != s->count) {
            ++s;
            continue;
        }
        most -= std::min(most, s->count);
        c.free_count -= s->count;
        c.idle_count -= s->count;
        for (std::size_t i = 0; i < s->count; ++i) warm_idle_ -= s->slots[i].is_warm;
        unmap(*s);
        s = c.slabs.erase(s);
    }
}

/// Moves those at the end of the free list, which nobody has used, to their slabs, in the order in which they are.
void stack_pool::sort_idle(size_class& c) noexcept {
    stack_slot** link = &c.free;
    for (std::size_t used = c.free_count - c.idle_count; used > 0; --used) link = &(*link)->next_free;
    stack_slot* next = std::exchange(*link, nullptr);
    while (next) {
        stack_slot& stack = *std::exchange(next, next->next_free);
        stack_slab& home = *stack.home;
        stack_slot** end = home.idle_count++ == 0 ? &home.idle : &home.last_idle->next_free;
        home.last_idle = *end = &stack;
        stack.next_free = nullptr;
    }
}

void stack_pool::give_back(stack_slab& s, std::size_t& most) noexcept {
    for (stack_slot* stack = s.idle; stack && most != 0; stack = stack->next_free) {
        if (!stack->is_warm) continue;
        --most;
        sys.madvise(stack->low, stack->size, MADV_DONTNEED);
        stack->is_warm = false;
        --warm_idle_;
    }
}

void stack_pool::trim_below(const stack_slot& stack, const void* frames) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(frames), low = reinterpret_cast<std::uintptr_t>(stack.low);
    if (at < low || at >= low + stack.size) return;
    const std::size_t below = (at - low) / page * page;
    if (below != 0) sys.madvise(stack.low, below, MADV_DONTNEED);
}

void stack_pool::clear() noexcept {
    make_latest_idle();
    for (auto& c : classes_) {
        for (stack_slab& s : c->slabs) {
            std::size_t free = 0;
            for (stack_slot* f = c->free; f; f = f->next_free) free += f->home == &s;
            if (free == s.count) {
                unmap(s);
            } else {
                s.slots.release();  // the frames that live there still refer to their slot
            }
        }
    }
    classes_.clear();
    recent_ = nullptr;
    in_use_ = warm_idle_ = 0;
}

void stack_pool::unmap(stack_slab& s) noexcept {
    for (std::size_t i = 0; i < s.count; ++i) forget_stack(s.slots[i].sanitizer);
#ifdef COIR_ASAN
    __asan_unpoison_memory_region(s.base, s.bytes);
#endif
    sys.munmap(s.base, s.bytes);
}

stack_pool::size_class& stack_pool::class_of(std::size_t size) {
    for (auto& c : classes_) {
        if (c->size == size) return *(recent_ = c.get());
    }
    classes_.push_back(std::make_unique<size_class>());
    recent_ = classes_.back().get();
    recent_->size = size;
    return *recent_;
}

void stack_pool::add_slab(size_class& c) {
    std::size_t have = 0;
    for (const stack_slab& s : c.slabs) have += s.count;
    const std::size_t pitch = c.size + guard_size;
    std::list<stack_slab> added(1);
    stack_slab& s = added.front();
    s.count = stacks_per_slab(pitch, have);
    s.bytes = s.count * pitch;
    s.slots = std::make_unique<stack_slot[]>(s.count);
    void* memory = sys.mmap(nullptr, s.bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw_no_stack("mmap", c.size);
    s.base = static_cast<char*>(memory);
    sys.madvise(s.base, s.bytes, MADV_NOHUGEPAGE);
    for (std::size_t i = s.count; i-- > 0;) {
        stack_slot& slot = s.slots[i];
        slot.low = s.base + i * pitch + guard_size;
        slot.size = c.size;
        slot.color = static_cast<std::uint32_t>(i % 16);
        slot.home = &s;
        slot.next_free = std::exchange(c.free, &slot);
    }
    c.free_count += s.count;
    c.slabs.splice(c.slabs.end(), added);
}

}  // namespace coir::detail
