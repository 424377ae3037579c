// <coir/exec/offload.hpp>: calling what blocks, while only the calling fiber waits.
#pragma once

#include <coir/exec/thread_pool.hpp>
#include <coir/task/detail/task_core.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coir {

/// The pool of offload and of name resolution: up to 64 threads, started when needed, ended when idle.
thread_pool& default_pool();

namespace detail {
/// True when the caller runs on no hub, or is itself a pool's job: then nobody is held up by a blocking call.
bool may_block_here() noexcept;
void run_on_pool(const std::function<void()>& call);
}  // namespace detail

/// Runs `function(args...)` on a thread of default_pool() and gives its result, or throws what it throws. References
/// are passed as they are: `coir::offload([&] { return ::fsync(fd); })`.
///
/// Suspends. Cancellation: before the call has started it never runs; once it has, it is not interruptible, and what
/// interrupted the fiber is thrown after it. On a thread that has no hub, and in a job of a pool, it is simply called.
/// Throws as thread_pool::submit. Example: tests/exec/offload_test.cpp
template <class Function, class... Args>
requires std::invocable<Function, Args...> std::invoke_result_t<Function, Args...> offload(Function&& function,
                                                                                           Args&&... args) {
    using R = std::invoke_result_t<Function, Args...>;
    const auto call = [&]() -> R { return std::invoke(std::forward<Function>(function), std::forward<Args>(args)...); };
    if (detail::may_block_here()) return call();
    if constexpr (std::is_void_v<R>) {
        detail::run_on_pool(call);
    } else {
        std::optional<detail::kept<R>> result;
        detail::run_on_pool([&] {
            if constexpr (std::is_reference_v<R>) {
                auto&& referred = call();
                result.emplace(std::addressof(referred));
            } else {
                result.emplace(call());
            }
        });
        if constexpr (std::is_reference_v<R>) {
            return static_cast<R>(**result);
        } else {
            return std::move(*result);
        }
    }
}

}  // namespace coir
