// <coir/task/task_group.hpp>: tasks that end before their scope does.
#pragma once

#include <coir/task/hub_pool.hpp>
#include <coir/task/task.hpp>

#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

namespace coir {

namespace detail {

/// What a task_group is, whatever its members return.
class group_core {
public:
    enum class failure { cancels_others, is_its_own };
    explicit group_core(std::size_t limit, failure policy = failure::cancels_others);
    ~group_core();

    /// A member's place. Taking it suspends while the limit is reached; it is given back unless a member fills it.
    class place {
    public:
        explicit place(group_core& group) : group_(&group) { group.take_place(); }
        ~place() {
            if (group_) group_->give_place_back();
        }
        place(const place&) = delete;
        void fill(ref<task_core> member) {
            group_->add(std::move(member));
            group_ = nullptr;
        }

    private:
        group_core* group_;
    };

    void join();
    void cancel() noexcept;
    /// Joins, having cancelled if the fiber is unwinding; throws nothing.
    void close() noexcept;
    std::size_t size() noexcept;

private:
    void take_place();
    void give_place_back() noexcept;
    void add(ref<task_core> member);

    struct member;
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace detail

struct group_options {
    /// How many members may be alive at a time; spawn waits for room.
    std::size_t limit = std::numeric_limits<std::size_t>::max();
    /// Where members run; null for the hub that spawns them. Must outlive the group.
    hub_pool* pool = nullptr;
};

/// Structured concurrency: none of its tasks outlives the scope.
/// `{ coir::task_group g({.limit = 10}); for (auto& url : urls) g.spawn(fetch, url); g.join(); }`
///
/// The first member that fails cancels the others (not the owner's body), and join() rethrows its error. Members that
/// end by cancellation are no failure. The destructor joins; it cancels first when it runs because of an exception,
/// waits under a shield, does not throw, and reports an error that no join() has seen.
/// Any fiber, of any hub, may spawn into it while it is alive. Example: tests/task/task_group_test.cpp
class task_group {
public:
    explicit task_group(const group_options& options = {}) : core_(options.limit), pool_(options.pool) {}
    ~task_group() { core_.close(); }
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;

    /// As coir::spawn, or the pool's. Suspends while the group is full: a cancellation point. In a group that has failed or was
    /// cancelled the new member is cancelled before it starts.
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto spawn(const spawn_options& options, Function&& function, Args&&... args) {
        detail::group_core::place place(core_);
        auto made = pool_ ? pool_->spawn(options, std::forward<Function>(function), std::forward<Args>(args)...)
                          : coir::spawn(options, std::forward<Function>(function), std::forward<Args>(args)...);
        place.fill(detail::ref<detail::task_core>(&made.core()));
        return made;
    }
    template <class Function, class... Args>
    requires std::invocable<std::decay_t<Function>, std::decay_t<Args>...>
    auto spawn(Function&& function, Args&&... args) {
        return spawn(spawn_options{}, std::forward<Function>(function), std::forward<Args>(args)...);
    }

    /// Waits until no member is left; then rethrows the first failure, once. Suspends; when it is cancelled itself it
    /// throws, and the members go on.
    void join() { core_.join(); }
    /// Cancels all members, and those that are spawned later. Does not wait.
    void cancel() noexcept { core_.cancel(); }
    /// How many members have not ended.
    std::size_t size() noexcept { return core_.size(); }

private:
    detail::group_core core_;
    hub_pool* const pool_;
};

}  // namespace coir
