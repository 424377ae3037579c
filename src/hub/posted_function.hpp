// Functions that other threads have posted to a hub.
#pragma once

#include <coir/base/unique_function.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <atomic>
#include <cstddef>
#include <utility>

namespace coir::detail {

class posted_function final : public remote_item {
public:
    /// Once its own has run it goes back to the store of that hub.
    void run_on_hub(hub_core& hub) noexcept override;
    void drop() noexcept override { delete this; }

    unique_function<void()> function;
};

/// What one thread allocates and another frees is what an allocator likes least. So those that have run lie here for
/// the threads that post next, each of which takes all there are.
class posted_function_store {
public:
    posted_function_store() noexcept = default;
    posted_function_store(const posted_function_store&) = delete;
    ~posted_function_store();

    /// Any thread. Throws std::bad_alloc.
    posted_function& take(unique_function<void()>&& function);
    /// The hub's thread; its function is destroyed already.
    void give_back(posted_function& spent) noexcept;

private:
    static constexpr std::size_t most = 64;

    std::atomic<remote_item*> for_others_{nullptr};  // linked by next_remote; only the hub puts something there
    remote_item* gathered_ = nullptr;                // until then
    std::size_t count_ = 0;
};

}  // namespace coir::detail
