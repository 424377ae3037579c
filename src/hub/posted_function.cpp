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
    try {
        function();
    } catch (...) {
        hub.report_unhandled("a posted function", std::current_exception());
    }
    function.reset();
    hub.keep_spent(*this);
}

posted_function_store::~posted_function_store() {
    clear();
    delete_all(gathered_);
}

posted_function& posted_function_store::take(unique_function<void()>&& function) {
    if (!in_hand && !is_over) {
        const std::lock_guard guard(lock_);
        if (packs_count_ != 0) fill_hand(packs_[--packs_count_]);
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

bool posted_function_store::give_back(posted_function& spent) noexcept {
    spent.next_remote = std::exchange(gathered_, &spent);
    if (++gathered_count_ < pack_size) return false;
    gathered_count_ = 0;
    remote_item* pack = std::exchange(gathered_, nullptr);
    {
        const std::lock_guard guard(lock_);
        if (packs_count_ < most_packs) {
            packs_[packs_count_++] = pack;
            return true;
        }
    }
    delete_all(pack);
    return false;
}

void posted_function_store::clear() noexcept {
    for (;;) {
        remote_item* pack = nullptr;
        {
            const std::lock_guard guard(lock_);
            if (packs_count_ == 0) return;
            pack = packs_[--packs_count_];
        }
        delete_all(pack);
    }
}

bool posted_function_store::empty() noexcept {
    const std::lock_guard guard(lock_);
    return packs_count_ == 0;
}

}  // namespace coir::detail
