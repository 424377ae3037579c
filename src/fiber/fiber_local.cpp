#include <coir/fiber/fiber_local.hpp>

#include "fiber/fiber_locals.hpp"

#include <atomic>
#include <vector>

namespace coir::detail {

/// A handful at most, so that looking through them is quickest.
class fiber_locals {
public:
    struct entry {
        std::uint64_t key;
        std::unique_ptr<void, local_deleter> object;
    };
    std::vector<entry> entries;
};

std::uint64_t next_local_key() noexcept {
    static std::atomic<std::uint64_t> keys{0};
    return keys.fetch_add(1, std::memory_order_relaxed);
}

void* find_local(std::uint64_t key) noexcept {
    const fiber_locals* locals = current_fiber().stack->locals;
    if (!locals) return nullptr;
    for (const auto& e : locals->entries) {
        if (e.key == key) return e.object.get();
    }
    return nullptr;
}

void add_local(std::uint64_t key, std::unique_ptr<void, local_deleter> object) {
    fiber_locals*& locals = current_fiber().stack->locals;
    if (!locals) locals = new fiber_locals;
    locals->entries.push_back({key, std::move(object)});
}

void destroy_locals(stack_slot& stack) noexcept {
    if (!stack.locals) return;
    auto& entries = stack.locals->entries;
    while (!entries.empty()) {
        const auto last = std::move(entries.back());
        entries.pop_back();
    }
    delete std::exchange(stack.locals, nullptr);
}

}  // namespace coir::detail
