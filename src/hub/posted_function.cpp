#include "hub/posted_function.hpp"

#include "hub/hub_core.hpp"

#include <mutex>
#include <utility>

namespace coir::detail {

namespace {

void delete_all(remote_item* first) noexcept {
    while (first) delete static_cast<posted_function*>(std::exchange(first, first->next_remote));
}

/// What this thread has taken of a store and not yet used.
constinit thread_local remote_item* in_hand = nullptr;
/// Posts of later destructors of the thread find nothing, and keep nothing.
constinit thread_local bool is_over = false;

struct hand {
    ~hand() {
        is_over = true;
        delete_all(std::exchange(in_hand, nullptr));
    }
};

void fill_hand(remote_item* taken) noexcept {
    static thread_local hand emptied_at_the_end;
    (void)emptied_at_the_end;
    in_hand = taken;
}

}  // namespace

void posted_function::run_on_hub(hub_core& hub) noexcept {
    if (hub.is_retiring()) [[unlikely]]
        return drop();
    try {
        function();
    } catch (...) {
        hub.report_unhandled("a posted function", std::current_exception());
    }
    function.reset();
    hub.keep_spent(*this);
}

posted_function_store::~posted_function_store() {
    for (std::size_t i = 0; i < pack_count_.load(std::memory_order_relaxed); ++i) delete_all(packs_[i]);
    delete_all(gathered_);
}

posted_function& posted_function_store::take(unique_function<void()>&& function) {
    if (!in_hand && !is_over && has_packs()) {
        if (remote_item* pack = take_pack()) fill_hand(pack);
    }
    remote_item* spare = in_hand;
    if (spare) {
        in_hand = spare->next_remote;
    } else {
        spare = new posted_function;
    }
    auto& made = *static_cast<posted_function*>(spare);
    made.function = std::move(function);
    return made;
}

/// Null also when another thread is at it.
remote_item* posted_function_store::take_pack() noexcept {
    const std::unique_lock lock(lock_, std::try_to_lock);
    const std::size_t count = pack_count_.load(std::memory_order_relaxed);
    if (!lock || count == 0) return nullptr;
    remote_item* pack = packs_[count - 1];
    pack_count_.store(count - 1, std::memory_order_relaxed);
    return pack;
}

/// False when there are enough of them, or another thread is at it.
bool posted_function_store::keep_pack(remote_item* pack) noexcept {
    const std::unique_lock lock(lock_, std::try_to_lock);
    const std::size_t count = pack_count_.load(std::memory_order_relaxed);
    if (!lock || count == most_packs) return false;
    packs_[count] = pack;
    pack_count_.store(count + 1, std::memory_order_release);  // behind the pack, also for the child of a fork
    return true;
}

bool posted_function_store::give_back(posted_function& spent) noexcept {
    spent.next_remote = std::exchange(gathered_, &spent);
    if (++gathered_count_ < pack_size) return false;
    const bool is_kept = keep_pack(gathered_);
    if (!is_kept && gathered_count_ < largest_pack) return false;  // the next one tries again
    if (!is_kept) delete_all(gathered_);
    gathered_ = nullptr;
    gathered_count_ = 0;
    was_used_ |= is_kept;
    return is_kept;
}

void posted_function_store::free_packs() noexcept {
    while (remote_item* pack = take_pack()) delete_all(pack);
}

}  // namespace coir::detail
