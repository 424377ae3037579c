#include "hub/posted_function.hpp"

#include "hub/hub_core.hpp"

#include <memory>

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
    hub.posted.give_back(*this);
}

posted_function_store::~posted_function_store() {
    delete_all(for_others_.load(std::memory_order_relaxed));
    delete_all(gathered_);
}

posted_function& posted_function_store::take(unique_function<void()>&& function) {
    if (!in_hand && !is_over && for_others_.load(std::memory_order_relaxed)) {
        fill_hand(for_others_.exchange(nullptr, std::memory_order_acquire));
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

void posted_function_store::give_back(posted_function& spent) noexcept {
    if (count_ == most) return delete &spent;
    ++count_;
    spent.next_remote = std::exchange(gathered_, &spent);
    if (for_others_.load(std::memory_order_relaxed)) return;
    for_others_.store(std::exchange(gathered_, nullptr), std::memory_order_release);
    count_ = 0;
}

}  // namespace coir::detail
