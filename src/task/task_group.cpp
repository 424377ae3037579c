#include <coir/task/task_group.hpp>

#include "fiber/thread_state.hpp"

#include <coir/task/cancel.hpp>

#include <exception>
#include <utility>
#include <vector>

namespace coir::detail {

/// One member: stands on its task's completion, and on the group's list.
struct group_core::member final : wait_node {
    struct group_hook : list_hook {
        member* self = nullptr;
    };

    member(impl& g, ref<task_core> t) noexcept : group(g), task(std::move(t)) { hook.self = this; }
    void notify(wake_reason) noexcept override;

    impl& group;
    ref<task_core> task;
    group_hook hook;
};

struct group_core::impl {
    impl(std::size_t most, failure p) : limit(most == 0 ? 1 : most), policy(p) {}

    void on_end(member& ended) noexcept;
    void cancel_members() noexcept;
    void free_ended() noexcept;
    std::unique_lock<spinlock> wait_until_below(std::size_t count, const char* what);

    const std::size_t limit;
    const failure policy;
    const int uncaught_before = std::uncaught_exceptions();
    spinlock lock;
    std::size_t alive = 0;
    bool is_cancelled = false;
    std::exception_ptr first_error;
    std::string failed_name;
    intrusive_list<member::group_hook> running;
    intrusive_list<member::group_hook> ended;
    wait_queue waiting;
};

void group_core::member::notify(wake_reason) noexcept { group.on_end(*this); }

/// The last thing that touches the group on a member's side is the unlocking of its lock.
void group_core::impl::on_end(member& m) noexcept {
    if (m.task->has_failed() && policy == failure::cancels_others) {
        bool is_first = false;
        {
            const std::lock_guard guard(lock);
            is_first = !std::exchange(is_cancelled, true) || !first_error;
            if (!first_error) {
                first_error = m.task->error();
                failed_name = m.task->name();
            }
        }
        m.task->observe();
        if (is_first) cancel_members();
    }
    std::unique_lock guard(lock);
    m.hook.unlink();
    ended.push_back(m.hook);
    --alive;
    notify_all(waiting, guard);
}

void group_core::impl::cancel_members() noexcept {
    std::vector<ref<task_core>> members;
    {
        const std::lock_guard guard(lock);
        is_cancelled = true;
        members.reserve(alive);
        for (auto& hook : running) members.push_back(hook.self->task);
    }
    for (auto& task : members) task->cancel();
}

void group_core::impl::free_ended() noexcept {
    intrusive_list<member::group_hook> mine;
    {
        const std::lock_guard guard(lock);
        mine.splice_back(ended);
    }
    while (auto* hook = mine.pop_front()) delete hook->self;
}

/// Holds the lock at the end.
std::unique_lock<spinlock> group_core::impl::wait_until_below(std::size_t count, const char* what) {
    free_ended();
    std::unique_lock guard(lock);
    while (alive >= count) {
        waiter self({what, this});
        self.wait(waiting, guard);
        free_ended();
        guard.lock();
    }
    return guard;
}

group_core::group_core(std::size_t limit, failure policy) : impl_(std::make_unique<impl>(limit, policy)) {}

group_core::~group_core() = default;

void group_core::take_place() {
    const auto guard = impl_->wait_until_below(impl_->limit, "room in a task group");
    ++impl_->alive;
}

void group_core::give_place_back() noexcept {
    std::unique_lock guard(impl_->lock);
    --impl_->alive;
    notify_all(impl_->waiting, guard);
}

void group_core::add(ref<task_core> task) {
    auto made = std::make_unique<member>(*impl_, std::move(task));
    member& m = *made;
    bool is_cancelled;
    {
        const std::lock_guard guard(impl_->lock);
        impl_->running.push_back(made.release()->hook);
        is_cancelled = impl_->is_cancelled;
    }
    if (!m.task->done().attach(m)) return impl_->on_end(m);
    if (is_cancelled) m.task->cancel();
}

void group_core::join() {
    std::exception_ptr error;
    {
        const auto guard = impl_->wait_until_below(1, "the members of a task group");
        error = std::exchange(impl_->first_error, nullptr);
    }
    impl_->free_ended();
    if (error) std::rethrow_exception(std::move(error));
}

void group_core::cancel() noexcept { impl_->cancel_members(); }

void group_core::close() noexcept {
    const shield mask;
    if (std::uncaught_exceptions() > impl_->uncaught_before) cancel();
    impl_->wait_until_below(1, "the members of a task group").unlock();
    impl_->free_ended();
    if (impl_->first_error) this_thread().report(impl_->failed_name, impl_->first_error);
}

std::size_t group_core::size() noexcept {
    const std::lock_guard guard(impl_->lock);
    return impl_->alive;
}

}  // namespace coir::detail
