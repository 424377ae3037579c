// All the channels are locked together, in the order of their addresses, while the cases are tried and while they are
// put into the queues: so no channel can change between a look at it and the wait. Once the wait has begun, whoever
// takes a case off its queue must also take the waiter off `waiting_`, under the selection's own lock; the first who
// does has chosen the case. The limit and an interrupt take it off the same way, and so exactly one of all wins.
#include <coir/sync/select.hpp>

#include "hub/hub_core.hpp"

#include <random>
#include <utility>

namespace coir::detail {

class selection final : private alternatives {
public:
    explicit selection(std::span<select_case* const> cases) : cases_(cases) {
        for (select_case* one : cases_) one->leave();  // where it was before, which may have stood at this address
        sort_by_lock();
    }

    /// The case that went ahead.
    std::size_t wait();
    bool is_closed() const noexcept { return is_closed_; }
    void notify(wake_reason reason) noexcept { waiter_.notify(reason); }

private:
    void sort_by_lock();
    void lock_all() noexcept;
    void unlock_all() noexcept;
    select_case* pick_ready() const noexcept;
    select_case* try_all();
    void wait_in_queues(deadline limit);
    bool choose(wait_node& node) noexcept override;
    select_case* first_of(select_case::kind kind) const noexcept;
    std::size_t index_of(const select_case* one) const noexcept;

    const std::span<select_case* const> cases_;
    select_case* first_by_lock_ = nullptr;
    spinlock lock_;  // guards the queue below; taken inside the channels' locks
    wait_queue waiting_;
    waiter waiter_{{"one of several channels", this}};
    select_case* chosen_ = nullptr;
    bool is_closed_ = false;
};

void select_case::notify(wake_reason reason) noexcept { selection_->notify(reason); }

namespace {

/// Under a seeded schedule the choice is part of the order.
std::size_t random_below(std::size_t count) noexcept {
    const hub_core* hub = hub_core::of_this_thread();
    if (hub && hub->order()) return hub->order()->choose(count);
    thread_local std::minstd_rand random(std::random_device{}());
    return random() % count;
}

}  // namespace

void selection::sort_by_lock() {
    for (select_case* one : cases_) {
        one->join(*this, *this);
        if (!one->lock() || !one->is_enabled()) continue;
        select_case** at = &first_by_lock_;
        while (*at && std::less<>()((*at)->lock(), one->lock())) at = &(*at)->next_by_lock;
        one->next_by_lock = std::exchange(*at, one);
    }
}

/// One channel may be in several cases.
void selection::lock_all() noexcept {
    const spinlock* last = nullptr;
    for (select_case* one = first_by_lock_; one; one = one->next_by_lock) {
        if (one->lock() != last) one->lock()->lock();
        last = one->lock();
    }
}

void selection::unlock_all() noexcept {
    const spinlock* last = nullptr;
    for (select_case* one = first_by_lock_; one; one = one->next_by_lock) {
        if (one->lock() != last) one->lock()->unlock();
        last = one->lock();
    }
}

/// Of those that seem ready one at random; each as often as the others.
select_case* selection::pick_ready() const noexcept {
    std::size_t ready = 0;
    for (select_case* one = first_by_lock_; one; one = one->next_by_lock) ready += one->seems_ready();
    if (ready == 0) return nullptr;
    std::size_t before = ready == 1 ? 0 : random_below(ready);
    select_case* one = first_by_lock_;
    while (!one->seems_ready() || before-- != 0) one = one->next_by_lock;
    return one;
}

/// Under all locks, which it gives up if a case went ahead, or if one throws for want of memory. A case that only
/// seemed ready does not any more when it has been tried.
select_case* selection::try_all() {
    while (select_case* one = pick_ready()) {
        transfer result;
        try {
            result = one->try_now();
        } catch (...) {
            unlock_all();
            throw;
        }
        if (!result.done && !result.closed) continue;
        unlock_all();
        is_closed_ = result.closed;
        if (result.woken) result.woken->notify(wake_reason::ready);
        return one;
    }
    return nullptr;
}

std::size_t selection::wait() {
    lock_all();
    if (select_case* one = try_all()) return index_of(one);
    if (select_case* none = first_of(select_case::kind::otherwise)) {
        unlock_all();
        return index_of(none);
    }
    select_case* timer = first_of(select_case::kind::timer);
    wait_in_queues(timer ? timer->limit() : deadline::never());
    return index_of(chosen_ ? chosen_ : timer);
}

/// Under all locks, which it gives up.
void selection::wait_in_queues(deadline limit) {
    struct queues_left {
        ~queues_left() {
            self.lock_all();
            for (select_case* one = self.first_by_lock_; one; one = one->next_by_lock) one->dequeue();
            self.unlock_all();
        }
        selection& self;
    };
    for (select_case* one = first_by_lock_; one; one = one->next_by_lock) one->enqueue();
    std::unique_lock own(lock_);  // until the waiter stands on its queue, nobody may choose
    unlock_all();
    const queues_left at_end{*this};
    is_closed_ = waiter_.wait(waiting_, own, limit) == wake_reason::closed;
}

bool selection::choose(wait_node& node) noexcept {
    const std::lock_guard guard(lock_);
    if (!waiting_.pop_front()) return false;
    chosen_ = &static_cast<select_case&>(node);
    return true;
}

/// Of several timers the one that is due first.
select_case* selection::first_of(select_case::kind kind) const noexcept {
    select_case* found = nullptr;
    for (select_case* one : cases_) {
        if (one->what() == kind && one->is_enabled() && (!found || one->limit() < found->limit())) found = one;
    }
    return found;
}

std::size_t selection::index_of(const select_case* one) const noexcept {
    std::size_t i = 0;
    while (cases_[i] != one) ++i;
    return i;
}

std::size_t select_one(std::span<select_case* const> cases) {
    if (cases.empty()) throw fiber_error("select without any case would wait for ever");
    std::size_t index;
    bool is_closed;
    {
        selection wait(cases);
        index = wait.wait();
        is_closed = wait.is_closed();
    }
    cases[index]->run(is_closed);
    return index;
}

}  // namespace coir::detail
