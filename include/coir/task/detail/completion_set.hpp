// Many ends, told one by one in the order in which they come. Not for use outside coir.
#pragma once

#include <coir/task/detail/task_core.hpp>

#include <cstddef>
#include <memory>

namespace coir::detail {

/// Watches `count` tasks, which the caller keeps alive. For one fiber, or plain thread, at a time.
class completion_set {
public:
    explicit completion_set(std::size_t count);
    ~completion_set();
    completion_set(const completion_set&) = delete;
    completion_set& operator=(const completion_set&) = delete;

    /// The i-th of `count` is this one.
    void watch(std::size_t index, task_core& task) noexcept;

    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    /// The index of the next that has ended; `none` when all have been told, or the limit was first. Suspends;
    /// throws what interrupts the fiber, which loses no end.
    std::size_t next(deadline limit);

private:
    struct node final : wait_node {
        void notify(wake_reason) noexcept override { owner->add(*this); }
        completion_set* owner = nullptr;
        task_core* task = nullptr;
    };

    void add(node& ended) noexcept;

    const std::size_t count_;
    std::unique_ptr<node[]> nodes_;
    std::size_t told_ = 0;
    spinlock lock_;
    wait_queue ended_;
    wait_queue waiting_;
};

}  // namespace coir::detail
