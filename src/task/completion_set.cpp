#include <coir/task/detail/completion_set.hpp>

namespace coir::detail {

completion_set::completion_set(std::size_t count) : count_(count), nodes_(std::make_unique<node[]>(count)) {}

completion_set::~completion_set() {
    for (std::size_t i = 0; i < count_; ++i) {
        // Under the task's lock: afterwards nobody is notifying it.
        if (nodes_[i].task) nodes_[i].task->done().detach(nodes_[i]);
    }
}

void completion_set::watch(std::size_t index, task_core& task) noexcept {
    node& n = nodes_[index];
    n.owner = this;
    n.task = &task;
    if (!task.done().attach(n)) add(n);
}

void completion_set::add(node& ended) noexcept {
    std::unique_lock lock(lock_);
    ended_.push_back(ended);
    notify_one(waiting_, lock);
}

std::size_t completion_set::next(deadline limit) {
    if (told_ == count_) return none;
    std::unique_lock lock(lock_);
    while (ended_.empty()) {
        waiter self({"one of several tasks", this});
        if (self.wait(waiting_, lock, limit) == wake_reason::timed_out) return none;
        lock.lock();
    }
    auto& first = static_cast<node&>(*ended_.pop_front());
    ++told_;
    lock.unlock();
    first.task->observe();
    return static_cast<std::size_t>(&first - nodes_.get());
}

}  // namespace coir::detail
