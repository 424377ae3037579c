// Functions that other threads have posted to a hub.
#pragma once

#include <coir/base/spinlock.hpp>
#include <coir/base/unique_function.hpp>
#include <coir/hub/detail/waiter.hpp>

#include <array>
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

/// What one thread allocates and another frees is what an allocator likes least: more than half of what a post cost.
/// So those that have run lie here, in packs, for the threads that post next, each of which takes one pack. Nobody waits
/// for the lock: who does not get it at once allocates, or tries again with the next.
class posted_function_store {
public:
    posted_function_store() noexcept = default;
    posted_function_store(const posted_function_store&) = delete;
    ~posted_function_store();

    /// Any thread. Throws std::bad_alloc.
    posted_function& take(unique_function<void()>&& function);
    /// The hub's thread; its function is destroyed already. True when that has made another pack.
    bool give_back(posted_function& spent) noexcept;
    bool has_packs() const noexcept { return pack_count_.load(std::memory_order_relaxed) != 0; }
    /// Whether there is a new pack since the last call. The hub's thread, as the next.
    bool was_used() noexcept { return std::exchange(was_used_, false); }
    void free_packs() noexcept;

    /// In the child of a fork.
    void after_fork() noexcept { lock_.reset(); }

private:
    static constexpr std::size_t pack_size = 64;
    static constexpr std::size_t largest_pack = 128;
    static constexpr std::size_t most_packs = 256;  // a megabyte and a half

    remote_item* take_pack() noexcept;
    bool keep_pack(remote_item* pack) noexcept;

    // Guards the packs. In the child of a fork it may stay locked for ever where the hub was another thread's.
    spinlock lock_;
    std::atomic<std::size_t> pack_count_{0};
    std::array<remote_item*, most_packs> packs_{};  // the first of each, linked by next_remote

    // The hub's:
    remote_item* gathered_ = nullptr;  // the next pack
    std::size_t gathered_count_ = 0;
    bool was_used_ = false;
};

}  // namespace coir::detail
